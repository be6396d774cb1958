"""TRL's trainer with verified numbers: it stops at the first value that is not finite, and held-out loss is a token mean."""

import math
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.training import tokens
from workflow_scripts.training.batching import samples
from workflow_scripts.training.checkpoints import check_best, seal

MAX_LISTED_SAMPLES = 16  # in an error message
MEASURED = {"loss": "loss", "grad_norm": "gradient norm", "eval_loss": "loss on held-out conversations"}


def trainer_class() -> Any:
    """The class of the trainer. A function, because trl takes seconds to import."""
    import torch
    from trl import SFTTrainer

    class CheckedTrainer(SFTTrainer):
        """Set `train_tokens` to the file of the audited samples, which an error message names by their ids."""

        train_tokens: Path

        def __init__(self, *args: Any, **options: Any):
            super().__init__(*args, **options)
            self.micro_batches: list[tuple[Any, Any]] = []  # loss and inputs, of this process in this step

        def resume(self, checkpoint: Path | None) -> None:
            """Train, from a checkpoint if there is one."""
            if checkpoint is not None:
                # TRL does not save its count of tokens.
                history = type(self.state).load_from_json(str(checkpoint / "trainer_state.json")).log_history
                self._total_train_tokens = max((int(row.get("num_tokens", 0)) for row in history), default=0)
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

        def _save_checkpoint(self, *args: Any) -> None:
            super()._save_checkpoint(*args)
            self.accelerator.wait_for_everyone()  # every process saves its own random state, with FSDP also its weights
            if self.is_world_process_zero():
                seal(Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}")

        def _load_best_model(self) -> None:
            check_best(Path(str(self.state.best_model_checkpoint)))  # Trainer's own would only warn
            super()._load_best_model()

        def training_step(self, model: Any, inputs: Any, *args: Any) -> Any:
            loss = super().training_step(model, inputs, *args)
            self.micro_batches.append((loss.detach(), inputs))
            return loss

        def log(self, logs: dict[str, float], *args: Any) -> None:
            """UserError for a loss or gradient norm that is not finite; the trainer logs a step before it saves it."""
            measured = {name: logs[key] for key, name in MEASURED.items() if key in logs}
            if not all(map(math.isfinite, measured.values())):
                values = " and ".join(f"the {name} is {value}" for name, value in measured.items())
                at = f" at learning rate {logs['learning_rate']:g}" if "learning_rate" in logs else ""
                raise UserError(
                    f"training stopped at step {self.state.global_step}: {values}{at}. {self._describe_batch()}Lower "
                    "`training.learning_rate`, raise `training.warmup_ratio`, or remove conversations with faults. No model was saved."
                )
            if "loss" in logs:
                self.micro_batches.clear()
            super().log(logs, *args)

        def _describe_batch(self) -> str:
            """The samples of this step, only those of micro-batches without a finite loss if there are any."""
            faulty = [inputs for loss, inputs in self.micro_batches if not torch.isfinite(loss)]
            batches = faulty or [inputs for _, inputs in self.micro_batches]
            found = {tuple(ids) for inputs in batches for ids, _ in samples(inputs)}
            table = tokens.read(self.train_tokens)
            names = dict.fromkeys(row["id"] for row in table if tuple(row["input_ids"]) in found)
            more = f" and {len(names) - MAX_LISTED_SAMPLES} more" if len(names) > MAX_LISTED_SAMPLES else ""
            return f"Its batch: {', '.join([*names][:MAX_LISTED_SAMPLES])}{more}. " if names else ""

        def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
            """Log `eval_loss`, in nats per token with loss: the mean over all of them, whatever the micro-batch size.

            Trainer's own is a mean of the means of micro-batches. Label smoothing applies to the training loss only.
            """
            smoother, self.label_smoother = self.label_smoother, None
            model = self.model_wrapped.eval()
            scale = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
            totals = torch.zeros(2, dtype=torch.float64, device=self.args.device)
            for batch in self.get_eval_dataloader():
                inputs = self._prepare_inputs(batch)
                count = (inputs["labels"] != -100).sum()
                with torch.no_grad(), self.compute_loss_context_manager():
                    nats = self.compute_loss(model, inputs, num_items_in_batch=torch.ones_like(count)) / scale
                totals += torch.stack([nats.double(), count.double()])
            self.label_smoother = smoother
            nats, count = self.accelerator.reduce(totals, "sum").tolist()
            metrics = {"eval_loss": nats / count, "eval_tokens": int(count)}
            self.log(metrics)
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            return metrics

    return CheckedTrainer
