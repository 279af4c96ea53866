"""The pages of the site, for mkdocs.yml.

Pages stay where GitHub shows them and keep their relative links: the site has
the paths of the repository, with README.md as its start. The reference is
made from docstrings, a page a room; a notebook becomes a page.
"""

import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = ('*.md', 'docs/*.md', 'docs/*.ipynb', 'docs/**/*.png', 'docs/**/*.svg')
PAGES += ('tools/data/README.md', 'configs/**/*.py')  # what pages link to
REFERENCE = {
    'Networks by name': ('models.factory', 'models.lgd_model', 'models.hub'),
    'Models': ('models',),
    'Data sets': ('datasets',),
    'Video': ('video',),
    'Hooks and metrics': ('engine',),
    'Tubes and boxes': (
        'detection',
        'detection.annotations',
        'detection.box_table',
    ),
    'Errors and files': ('errors', 'files', 'pickles', 'upstream_fixes'),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the pages from the repository, not from docs/ alone."""
    root = Path(config.config_file_path).parent
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    for path in sorted(p for pattern in PAGES for p in root.glob(pattern)):
        name = path.relative_to(root).as_posix()
        if path.suffix == '.ipynb':
            text = notebook_as_markdown(path)
            file = File.generated(config, f'{name[:-6]}.md', content=text)
        else:
            file = File(name, f'{root}', config.site_dir, False)
        files.append(file)
    for title, modules in REFERENCE.items():
        parts = [f'# {title}', *(f'::: lgd_mmaction.{m}' for m in modules)]
        name = f'reference/{title.lower().replace(" ", "_")}.md'
        files.append(File.generated(config, name, content='\n\n'.join(parts)))
    return files


def notebook_as_markdown(path: Path) -> str:
    """Text and code of a notebook, without outputs."""
    parts = []
    for cell in json.loads(path.read_text())['cells']:
        text = ''.join(cell['source'])
        if cell['cell_type'] == 'code':
            text = f'```python\n{text}\n```'
        parts.append(text)
    return '\n\n'.join(parts) + '\n'


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Links to a notebook lead to its page."""
    return markdown.replace('.ipynb)', '.md)')


def on_page_content(
    html: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Take the marks of reStructuredText out of docstrings."""
    html = re.sub(r':(class|func|meth|mod|attr|data):(?=<code>)', '', html)
    return html.replace('<p>.. code-block:: text</p>', '')
