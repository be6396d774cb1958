"""Amplify-Instruct: seeds grown into multi-turn conversations by a teacher."""
