"""Training: loss mask audit, supervised fine-tuning on the USER:/ASSISTANT: template, merging."""
