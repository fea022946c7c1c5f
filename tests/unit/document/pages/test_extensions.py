from __future__ import annotations

from collections.abc import Iterator

import bokeh.core.has_props as bokeh_has_props
import pytest
from bokeh.model import Model
from bokeh.models import Div
from bokeh.util.compiler import JavaScript

from app_server.document import engine
from app_server.document.pages import extensions
from app_server.document.served import ServedDocument, new_document
from app_server.errors import ApplicationError

engine.install()

GOOD = """
import {Div, DivView} from "models/widgets/div"
export class GoodView extends DivView {}
export class Good extends Div { static __name__ = "Good" }
Good.prototype.default_view = GoodView
"""


@pytest.fixture
def kinds() -> Iterator[dict[str, type[Model]]]:
    """A model whose JavaScript can be made, one whose file is not there, and one that names a module that is not."""

    class Good(Div):
        __implementation__ = JavaScript(GOOD)

    class Lost(Div):
        __implementation__ = "lost.ts"

    class Lonely(Div):
        __implementation__ = JavaScript('import {X} from "nowhere/at/all"\nexport class Lonely extends X {}\n')

    yield {"Good": Good, "Lost": Lost, "Lonely": Lonely}
    for kind in (Good, Lost, Lonely):
        bokeh_has_props._default_resolver.remove(kind)
    extensions._left_out.clear()


def showing(kind: type[Model]) -> ServedDocument:
    document = new_document("session")
    with document.at_work():
        document.add_root(kind())
    return document


def test_models_that_cannot_be_made_fail_where_they_are_used(kinds: dict[str, type[Model]]) -> None:
    bundle = extensions.bundle_models(None)
    assert bundle is not None and "GoodView" in bundle and "Lonely" not in bundle
    extensions.check(showing(kinds["Good"]))
    extensions.check(showing(Div))
    for name, words in (("Lost", "lost.ts"), ("Lonely", "nowhere/at/all")):
        with pytest.raises(ApplicationError, match=f"the extension {name} does not compile") as failed:
            extensions.check(showing(kinds[name]))
        assert words in failed.value.what and name in failed.value.shown
        with pytest.raises(ApplicationError):
            extensions.bundle_models([kinds[name]])
    assert extensions.bundle_models([Div]) is None
