"""Write the reports on the machine code of the GPU kernels that come with mlteach.

It needs the packages of the dependency group "compilers", no GPU and no driver. With --check it writes
nothing, and ends with 1 where a report is not what these compilers make now.
"""

import json
import sys

from mlteach.files import replacing
from mlteach.gpu import compilers, sass
from mlteach.gpu.kernels import CUDA
from mlteach.gpu.variants import VARIANTS


def document(compute_capability: tuple[int, int]) -> dict:
    """The reports on all kernels that such a GPU can run, and the compilers that they come from."""
    kernels = {
        name: sass.report(name, compute_capability, compiled=True).as_dict()
        for name, launch in {**CUDA, **VARIANTS}.items()
        if launch.capability <= compute_capability
    }
    return {"compilers": compilers.versions(), "kernels": kernels}


def main() -> None:
    """Write the reports, or compare them."""
    wrong = []
    for compute_capability in sass.SHIPPED:
        path = sass.REPORTS / "sm_{}{}.json".format(*compute_capability)
        text = json.dumps(document(compute_capability), indent=1) + "\n"
        if "--check" not in sys.argv[1:]:
            with replacing(path) as file:
                file.write(text.encode())
        elif not path.exists() or text != path.read_text(encoding="utf-8"):
            wrong.append(path.name)
    if wrong:
        sys.exit(f"not what these compilers make: {', '.join(wrong)}: run  python tools/sass.py")


if __name__ == "__main__":
    main()
