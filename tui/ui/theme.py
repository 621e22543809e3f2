"""Holdfast's default theme. All styles use theme variables, so any Textual theme works."""

from textual.theme import Theme

HOLDFAST = Theme(
    name="holdfast",
    primary="#7aa2d9",
    secondary="#a3b8cc",
    accent="#e5b567",
    success="#8cc28c",
    warning="#e0a65a",
    error="#e07a7a",
    foreground="#d8dee6",
    background="#11151a",
    surface="#191f26",
    panel="#222a33",
    dark=True,
)
