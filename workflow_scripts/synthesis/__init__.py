"""Amplify-Instruct: a teacher grows seeds into multi-turn conversations."""
