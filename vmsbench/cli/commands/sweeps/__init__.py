"""Commands that search: tune, plan, resume, final, ablate, demo."""
