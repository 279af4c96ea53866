"""What setup.cfg cannot say: two roots of packages; a checkout for mim."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.editable_wheel import editable_wheel


class EditableWheel(editable_wheel):
    """An editable install whose top_level.txt leads to this checkout.

    mim joins the place of a package's metadata and the first line of
    top_level.txt (``mim.utils.get_installed_path``); an absolute path wins.
    """

    def run(self) -> None:
        self._ensure_dist_info()
        top_level = Path(self.dist_info_dir) / 'top_level.txt'
        package = Path(__file__).resolve().parent / 'lgd_mmaction'
        top_level.write_text(f'{package}\n')
        super().run()


setup(
    cmdclass={'editable_wheel': EditableWheel},
    package_dir={'lgd_tools': 'tools/lgd_tools'},
    packages=[
        *find_packages(include=['lgd_mmaction', 'lgd_mmaction.*']),
        *find_packages('tools', include=['lgd_tools', 'lgd_tools.*']),
    ],
)
