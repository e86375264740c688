"""JupyterLab in a headless browser."""
