"""Progress of a training, printed as lines."""

import logging
from typing import Any

from workflow_scripts.common.progress import progress


def report_steps() -> Any:
    """A trainer callback that prints steps, loss, tokens/s and time left, and the callback class that it replaces."""
    from transformers import PrinterCallback, TrainerCallback

    class ReportSteps(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            if not state.is_world_process_zero:
                return
            self.bar = progress(state.max_steps, "training", "step")
            self.bar.update(state.global_step)
            self.bar.unpause()
            self.tokens_before = max((float(row.get("num_tokens", 0)) for row in state.log_history), default=0.0)

        def on_log(self, args, state, control, logs=None, **kwargs):
            if not state.is_world_process_zero:
                return
            if "loss" in (logs or {}):
                tokens = float(logs.get("num_tokens", 0)) - self.tokens_before
                speed = tokens / max(self.bar.format_dict["elapsed"], 1e-9)
                self.bar.set_postfix_str(f"loss {float(logs['loss']):.3f}, {speed:.0f} tokens/s", refresh=False)
                self.bar.update(state.global_step - self.bar.n)
            elif "eval_loss" in (logs or {}):
                logging.info("loss on held-out conversations: %.4f", float(logs["eval_loss"]))

        def on_train_end(self, args, state, control, **kwargs):
            if state.is_world_process_zero:
                self.bar.close()

    return ReportSteps(), PrinterCallback
