from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.models import Div, Slider
from bokeh.plotting import figure

from app_server.apps import load_application
from app_server.errors import ApplicationError, OperatorError
from tests.unit.apps.making import MENDED, Write, notebook

TITLED = "from bokeh.io import curdoc\ncurdoc().title = 'main'\n"


def test_main_script_is_run_with_the_folder_importable(write: Write, document: Document) -> None:
    folder = write(
        {
            "sales/main.py": """
                import sys
                from pathlib import Path
                from bokeh.io import curdoc
                from folder_helper import read
                curdoc().title = read(Path(__file__).parent / "data" / "things.csv") + sys.argv[1]
            """,
            "sales/folder_helper.py": "def read(path): return path.read_text()\n",
            "sales/data/things.csv": "1,2",
        }
    )
    application = load_application(folder / "sales", ["!"])
    application.build(document)
    assert document.title == "1,2!"
    assert (application.route, application.path) == ("/sales", folder / "sales")


def test_main_notebook_is_run(write: Write, document: Document) -> None:
    folder = write({"sales/main.ipynb": notebook(TITLED)})
    load_application(folder / "sales").build(document)
    assert document.title == "main"


def test_folder_is_known_by_dot_and_by_a_trailing_slash(
    write: Write, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write({"sales/main.py": "1 / 0\n"}) / "sales")
    for path, shown in ((".", "main.py"), ("../sales/", "../sales/main.py")):
        application = load_application(path)
        assert application.route == "/sales"
        with pytest.raises(ApplicationError) as caught:
            application.build(document)
        assert caught.value.where == f"{shown}:1"


def test_theme_is_applied_to_the_models_of_the_document(write: Write, document: Document) -> None:
    main = "from bokeh.io import curdoc\nfrom bokeh.models import Slider\ncurdoc().add_root(Slider(start=0, end=1))\n"
    theme = "attrs:\n  Slider:\n    bar_color: red\n"
    folder = write({"sales/main.py": main, "sales/theme.yaml": theme})
    load_application(folder / "sales").build(document)
    slider = document.roots[0]
    assert isinstance(slider, Slider)
    assert slider.bar_color == "red"


def test_theme_is_loaded_once(write: Write) -> None:
    folder = write({"sales/main.py": TITLED, "sales/theme.yaml": "attrs: {}\n"})
    application = load_application(folder / "sales")
    (folder / "sales/theme.yaml").unlink()
    first, second = Document(), Document()
    application.build(first)
    application.build(second)
    assert first.theme is second.theme


def test_changed_theme_and_template_count_for_developers(write: Write) -> None:
    files = {
        "sales/main.py": TITLED,
        "sales/theme.yaml": "attrs: {Plot: {background_fill_color: red}}\n",
        "sales/templates/index.html": "{% include 'part.html' %} one",
        "sales/templates/part.html": "part one,",
    }
    folder = write(files)
    seen = []
    application = load_application(folder / "sales", dev=True)
    for number in ("one", "two"):
        if number == "two":
            write({name: text.replace("red", "blue").replace("one", "second") for name, text in files.items()})
        document = Document()
        application.build(document)
        plot = figure()
        document.add_root(plot)
        seen.append((document.template.render(), plot.background_fill_color))
    assert seen == [("part one, one", "red"), ("part second, second", "blue")]


def test_template_extends_the_base_and_embeds_roots_by_name(write: Write, document: Document) -> None:
    folder = write(
        {
            "sales/main.py": """
                from bokeh.io import curdoc
                from bokeh.models import Div
                curdoc().add_root(Div(text="hello", name="greeting"))
                curdoc().template_variables["user"] = "Mary"
            """,
            "sales/templates/index.html": """
                {% extends base %}
                {% block contents %}
                <h1>{{ user }}</h1> {% include 'part.html' %} {{ embed(roots.greeting) }}
                {% endblock %}
            """,
            "sales/templates/part.html": "<p>{{ user }} again</p>",
        }
    )
    load_application(folder / "sales").build(document)
    html = file_html(document, template=document.template, template_variables=document.template_variables)
    assert isinstance(document.roots[0], Div)
    assert "<h1>Mary</h1> <p>Mary again</p>" in html
    assert 'data-root-id="' + document.roots[0].id in html


def test_template_that_does_not_parse_is_found_when_loading(write: Write) -> None:
    folder = write({"sales/main.py": "", "sales/templates/index.html": "<html>\n{% block %}\n"})
    with pytest.raises(ApplicationError) as caught:
        load_application(folder / "sales")
    assert caught.value.where == f"{folder}/sales/templates/index.html:2"
    assert caught.value.what.startswith("the template does not parse: ")


def test_theme_that_does_not_parse_is_found_when_loading(write: Write) -> None:
    folder = write({"sales/main.py": "", "sales/theme.yaml": "attrs: [\n"})
    with pytest.raises(ApplicationError) as caught:
        load_application(folder / "sales")
    assert str(caught.value).startswith(f"{folder}/sales/theme.yaml:2:1: the theme is not YAML: ")


def test_static_folder_is_named_where_it_exists(write: Write) -> None:
    folder = write({"with/main.py": "", "with/static/a.css": "", "without/main.py": ""})
    assert load_application(folder / "with").static_path == folder / "with/static"
    assert load_application(folder / "without").static_path is None


def test_package_is_run_once_and_serves_relative_imports(write: Write) -> None:
    folder = write(
        {
            "sales/__init__.py": """
                from pathlib import Path
                with open(Path(__file__).parent / "log", "a") as log:
                    log.write("x")
            """,
            "sales/main.py": """
                from bokeh.io import curdoc
                from . import deep_helper
                from .part.far import title
                curdoc().title = f"{title} {deep_helper.__package__ == __package__}"
            """,
            "sales/deep_helper.py": "from .part.far import title\n",
            "sales/part/__init__.py": "",
            "sales/part/far.py": "title = 'far'\n",
            "sales/app_hooks.py": "from .part import far\ndef process_request(request): return {'title': far.title}\n",
        }
    )
    application = load_application(folder / "sales")
    for _ in range(2):
        document = Document()
        application.build(document)
        assert document.title == "far True"
    assert application.process_request(None) == {"title": "far"}
    assert (folder / "sales/log").read_text() == "x"


def test_failing_package_is_an_application_error_and_tried_again(write: Write, document: Document) -> None:
    folder = write({"sales/__init__.py": "\nraise ValueError('no')\n", "sales/main.py": ""})
    application = load_application(folder / "sales")
    before = set(sys.modules)
    for _ in range(2):
        with pytest.raises(ApplicationError) as caught:
            application.build(document)
        assert str(caught.value) == f"{folder}/sales/__init__.py:2: ValueError: no. {MENDED}"
    assert set(sys.modules) == before


@pytest.mark.parametrize("package", [True, False])
def test_helpers_of_one_name_are_each_applications_own(write: Write, package: bool) -> None:
    main = """
        from bokeh.io import curdoc
        import twin_helper
        import twin_package.inner
        import twin_space.inner
        curdoc().title = f"{twin_helper.name} {twin_package.inner.name} {twin_space.inner.name}"
    """
    files = {}
    for name in ("north", "south"):
        files[f"{name}/main.py"] = main
        files[f"{name}/twin_helper.py"] = f"name = '{name}'\n"
        files[f"{name}/twin_package/__init__.py"] = ""
        files[f"{name}/twin_package/inner.py"] = f"name = '{name}'\n"
        files[f"{name}/twin_space/inner.py"] = f"name = '{name}'\n"
        if package:
            files[f"{name}/__init__.py"] = ""
    folder = write(files)
    applications = {name: load_application(folder / name) for name in ("north", "south")}
    modules = set()
    for name in ("north", "south", "north", "south"):
        document = Document()
        applications[name].build(document)
        assert document.title == f"{name} {name} {name}"
        modules.add(id(sys.modules["twin_helper"]))
    # Each is imported once, however often the applications take turns.
    assert len(modules) == 2


def test_helper_named_like_a_loaded_library_does_not_replace_it(write: Write, document: Document) -> None:
    folder = write({"a/main.py": "import json\n", "a/json.py": "", "b/main.py": "import json\n", "b/json.py": ""})
    import json

    for name in ("a", "b"):
        load_application(folder / name).build(document)
        assert sys.modules["json"] is json


def test_folder_without_main_is_refused(write: Write) -> None:
    folder = write({"sales/app.py": "", "sales/other.py": ""})
    with pytest.raises(OperatorError) as caught:
        load_application(folder / "sales")
    assert str(caught.value) == (
        f"{folder}/sales: the folder has neither main.py nor main.ipynb. "
        "Name a .py script, an .ipynb notebook, an .md file, or a folder with a main.py or main.ipynb"
    )


@pytest.mark.parametrize("names", [("main.py", "main.ipynb"), ("app_hooks.py", "server_lifecycle.py")])
def test_folder_that_leaves_a_choice_is_refused(write: Write, names: tuple[str, str]) -> None:
    folder = write({"sales/main.py": "", f"sales/{names[0]}": "", f"sales/{names[1]}": ""})
    with pytest.raises(ApplicationError) as caught:
        load_application(folder / "sales")
    assert str(caught.value) == f"{folder}/sales: the folder has both {names[0]} and {names[1]}. Keep one of them"


@pytest.mark.parametrize("name", ["main.py", "app_hooks.py", "server_lifecycle.py", "__init__.py"])
def test_syntax_errors_of_every_part_are_found_when_loading(write: Write, name: str) -> None:
    folder = write({"sales/main.py": "", f"sales/{name}": "def\n"})
    with pytest.raises(ApplicationError) as caught:
        load_application(folder / "sales")
    assert str(caught.value) == f"{folder}/sales/{name}:1: SyntaxError: invalid syntax. {MENDED}"


def test_unreadable_file_is_the_operators_matter(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write({"sales/main.py": ""})

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(OperatorError) as caught:
        load_application(folder / "sales")
    assert str(caught.value) == (
        f"{folder}/sales/main.py: the file cannot be read: Permission denied."
        " Give the server's user permission to read it"
    )
