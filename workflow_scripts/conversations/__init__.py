"""Conversations: included data, Vicuna splitting, assembly of everything that is decontaminated next."""
