"""Put the notebooks and recorded ladders into a wheel; an editable install finds them where they are."""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Folders(BuildHookInterface):
    """Add the files of the two folders to a wheel, without what JupyterLab hides beside them."""

    def initialize(self, version, build_data):
        """Name each file and its place in the wheel."""
        if version != "standard":
            return
        root = Path(self.root)
        for path in [*root.glob("notebooks/**/*"), *root.glob("results/**/*")]:
            place = path.relative_to(root)
            if path.is_file() and not any(part.startswith(".") for part in place.parts):
                build_data["force_include"][str(path)] = f"mlteach/{place.as_posix()}"
