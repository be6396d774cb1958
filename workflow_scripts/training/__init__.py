"""Supervised fine-tuning on the USER:/ASSISTANT: template."""
