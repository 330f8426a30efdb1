"""Every sentence that the code can say to somebody at the page has German words."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import invdn
from invdn.errors import ImageError
from invdn.image.noise_estimation import NoiseEstimate
from invdn.inference import files
from invdn.inference.blending import Findings
from invdn.inference.files import training_range_warning
from invdn.photo import raw
from invdn.photo.decode import DAMAGED, check_size, choose_page, left_out
from invdn.photo.demo_photo import demo_photo
from invdn.photo.formats import format_of_content
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from invdn.web.errors import KINDS, full_disk, stopping
from support.chromium import visiting
from support.serving import Server

SOURCE = Path(invdn.__file__).parent
ASSETS = SOURCE / "web" / "page" / "assets"
#: Where sentences about a photograph or its result come from.
SPEAKING = ("photo", "image/defects.py", "inference/files.py")
#: Problems that quote what went wrong; of the others, the kind says it all in German.
QUOTED = ("invalid", "internal", "bad-request")
#: Calls whose words are for developers.
SILENT = re.compile(
    r"_log\..*|field|Field|ValueError|TypeError|AssertionError|OSError|_UnusualError"
    r"|(Items|Directory|Profile|Opcode)Error|re\.compile"
)
#: Sentences that nobody at the page can come to see, and why.
ELSEWHERE = {
    "written into files": r"Colours by .*|No copyright, .*|Linear camera colours|.*<.*|.*xml.*",
    "of Python's arrays": r"(pixels|alpha) of shape .*|chroma subsampling .*|quality '?7'? does .*",
    "of the command's paths and options": r"it is a folder; .*|it is no regular file; .*"
    r"|there is no such file; .*|permission is denied; .*|.* names .*; use one of .*"
    r"|cannot write the picture .*|that of the .*|beside it, .*|.* exists already .*"
    r"|its sidecar .*|.* \(the video of a Live Photo\)|the memory is too small .*"
    r"|no known format|a format that .*",
    "of writing DNGs, which the page does not offer": r".*DNG.*|its sensor has not .*"
    r"|.*; write a TIFF instead|left out: its (list|correction) .*|cannot write '7': HEIC .*",
    "parts of sentences, tried whole below": r"a JPEG, PNG, .*|an? \w+ (picture|drawing|document)"
    r"|give a JPEG, .*|it is 7; .*|it holds .*|JPEG XL cannot be given .*|(read|writ)ing JPEG XL"
    r"|7 needs the package .*|cannot write '7': .*|(packed|stored) in .*|it was 7; .*"
    r"|develop it to .*|CMYK without .*|with its video|an APP7 block7"
    r"|its (pixels are 7|samples are compressed in a way that .*)",
    "remarks that are no parts, tried below": r"its index names .*|the 7 MB behind .*",
    "asked of libvips, or caught": r"Corrupt JPEG data|its size is no multiple of .*",
    "of requests that no page makes": r"the JSON in the body .*|the body is no JSON.*"
    r"|(an|this) Idempotency-Key .*|(the|a) form .*|the form's .*|the field .*"
    r"|7 is given twice|photo: name .*|there is no photograph in the body .*|a preview has .*"
    r"|the region of .*|the client went away.*|at most 7 passes .*",
}
WHOLE = [
    "it is a PDF document; give a JPEG, PNG, TIFF, WebP, AVIF, JPEG XL, HEIC or raw photograph",
    "it is an OpenEXR picture; give a JPEG, PNG, TIFF, WebP, AVIF, JPEG XL, HEIC or raw photograph",
    "cannot write the result: it holds no transparency; use the ending .png or .tif instead",
    "cannot write the result: it holds at most 16383 pixels a side; use the ending .png or .tif "
    "instead",
    "cannot write the result: it holds no greyscale profile; use the ending .png or .tif instead",
    "cannot write the result: JPEG XL cannot be given its colour profile on this system; use "
    "the ending .png or .tif instead",
    "cannot write the result: a JPEG holds at most 64 kB of EXIF, XMP or IPTC in one piece and "
    "this photograph has 70000 bytes; write a PNG or TIFF file instead",
    "reading AVIF of 16 bits needs the package imagecodecs: pip install 'invdn[formats]'",
    "the work failed: something new",
    "left out: its gain map (HDR), its depth map, its video (3.1 MB) and 2 other pictures of the "
    "file",
    "cannot write the result: the photograph's brightness is coded for HDR screens (PQ), which "
    "only PNG and AVIF store here; use the ending .png or .avif instead",
    "left out: an APP3 block (XYZ), a tEXt block of 3 MB and JPEG XT's extension layers",
    "it has 3 pages and none of number 4",
    "left out, since AVIF has no place for it: Samsung's trailer with its video",
    "it was packed in 12 bits; the result is with deflate",
    "it was stored in tiles much larger than the picture; the result is with deflate",
    "it was stored in a plane of each colour; the result is with deflate",
    "its index names further pictures, which the file lacks",
    "the 7 MB behind the picture are left out",
]
ENGLISH = re.compile(r"\b(the|its?|fetch|which|with|of|and|save|is|cannot)\b")
ASK = """async ([said, whole]) => {
  const { translated } = await import("/assets/problems.js");
  const part = (words) => translated(words) ?? translated(`left out: ${words}`);
  return [...said.map(part), ...whole.map(translated)];
}"""


def _value(node: ast.AST, names: dict[str, Any]) -> str:
    """Return what may stand in a place of a sentence: a number where nothing is known."""
    match node:
        case ast.Name(name) if isinstance(names.get(name), str):
            return str(names[name])
        case (
            ast.BinOp(ast.Constant(str() as ending)) | ast.IfExp(body=ast.Constant(str() as ending))
        ):
            return ending
    return "7"


def _words(node: ast.AST, names: dict[str, Any]) -> str | None:
    """Return a string or f-string with what it names filled in, as far as that is known."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    text = ""
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            value = _value(part.value, names)
            text += repr(value) if part.conversion == ord("r") else value
        elif isinstance(part, ast.Constant):
            text += str(part.value)
    return text


def _sentences(node: ast.AST, names: dict[str, Any], wanted: bool) -> Iterator[str]:
    """Yield what a piece of code may say; of the service's own code only quoted problems."""
    if isinstance(node, ast.Call):
        call = ast.unparse(node.func)
        if SILENT.fullmatch(call):
            return
        if call == "ProblemError" and isinstance(node.args[0], ast.Constant):
            wanted = node.args[0].value in QUOTED
    words = _words(node, names)
    if words is not None:
        if wanted and len(re.findall(r"[A-Za-z]{2,}", words)) >= 3 and " " in words:
            yield " ".join(words.split())
        return
    for child in ast.iter_child_nodes(node):
        alone = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        if not alone:  # else it is a docstring
            yield from _sentences(child, names, wanted)


def _said() -> list[str]:
    """Return every sentence of the code that may come to the page."""
    said: list[str] = []
    for place in (*SPEAKING, "web"):
        path = SOURCE / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            name = ".".join(("invdn", *file.relative_to(SOURCE).with_suffix("").parts))
            importlib.import_module(name)
            names = vars(sys.modules[name])
            said += _sentences(ast.parse(file.read_text()), names, place != "web")
    return list(dict.fromkeys(said))


def test_every_sentence_has_german_words(browser: Any, server: Server) -> None:
    others = re.compile("|".join(f"(?:{words})" for words in ELSEWHERE.values()))
    collected = _said()
    said = [words for words in collected if not others.fullmatch(words)]
    assert len(said) > 60
    rules = [rule for words in ELSEWHERE.values() for rule in re.split(r"\|(?![^(]*\))", words)]
    unused = [rule for rule in rules if not any(re.fullmatch(rule, said) for said in collected)]
    assert unused == []  # what is said no more is to go from the list
    with visiting(browser, server, locale="de-AT") as visit:
        german = visit.page.evaluate(ASK, [said, WHOLE])
    pairs = list(zip(said + WHOLE, german, strict=True))
    assert [words for words, told in pairs if told is None] == []
    assert [pair for pair in pairs if ENGLISH.search(pair[1])] == []


def test_every_kind_of_problem_has_german_words(browser: Any, server: Server) -> None:
    ask = f"""async () => {{
      const {{ problemInWords }} = await import("/assets/problems.js");
      return {list(KINDS)}.map((kind) => problemInWords({{
        type: `urn:invdn:problem:${{kind}}`, title: "New", detail: "new" }}));
    }}"""
    with visiting(browser, server, locale="de-AT") as visit:
        told = visit.page.evaluate(ask)
    assert not [words for words in told if words.startswith("New")]
    assert not [words for words in told if ENGLISH.search(words)]


def _literals(script: str) -> Iterator[str]:
    """Yield the texts of a script's strings, without comments and what is filled in."""
    code = re.sub(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*", "", script, flags=re.S)
    for text in re.findall(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`', code):
        yield re.sub(r"\$\{[^{}]*\}", "", "".join(text))


def test_no_words_stand_beside_the_table() -> None:
    """Scripts take their words from texts.js and problems.js alone, the page from ``data-t``."""
    found = []
    for path in sorted(ASSETS.glob("*.js")):
        if path.name in ("texts.js", "problems.js"):
            continue
        for text in _literals(path.read_text()):
            prose = re.search(r"[A-Za-z]{3,} [a-z]{2,} [a-z]{2,}|[A-Z][a-z]+ [a-z]{3,}", text)
            if prose and not text.lstrip().startswith(("<svg", "M")):
                found.append((path.name, text))
    assert found == []
    page = (ASSETS.parent / "index.html").read_text()
    page = re.sub(r"<noscript>.*?</noscript>|<svg.*?</svg>|<head>.*?</head>", "", page, flags=re.S)
    page = re.sub(r"<(\w+)[^<>]*\bdata-t=[^<>]*>[^<>]*</\1>", "", page)
    shown = {text.strip() for text in re.findall(r">([^<>]*)<", page)} - {""}
    own = {"InvDN", "English", "Deutsch", "Denoise", "After"}  # names, and what a script fills in
    assert {text for text in shown if re.search(r"\w{2}", text)} <= own
    labels = re.findall(r"<[^<>]*\b(?:aria-label|title)=[^<>]*>", page)
    unnamed = [tag for tag in labels if "data-t" not in tag]
    assert [re.findall(r'id="([\w-]+)"', tag) for tag in unnamed] == [["canvas"], ["zoom"]]


def test_every_entry_of_the_table_is_used() -> None:
    table = (ASSETS / "texts.js").read_text()
    entries = re.findall(r'^  "?([\w ]+?)"?: \[', table, re.M)
    code = "".join(path.read_text() for path in ASSETS.glob("*.js") if path.name != "texts.js")
    code += (ASSETS.parent / "index.html").read_text()
    noise = {f"n {word}" for word in ("light", "moderate", "strong", "extreme")}  # by its word
    assert [name for name in entries if f'"{name}"' not in code and name not in noise] == []


def test_in_german(browser: Any, server: Server, pictures: Path) -> None:
    with visiting(browser, server, locale="de-AT") as visit:
        page = visit.page
        assert page.locator("html").get_attribute("lang") == "de"
        assert page.get_by_role("button", name="Fotos auswählen").is_visible()
        visit.drop(pictures / "tiny.png")
        visit.until("done")
        assert page.locator("#progress-text").inner_text().startswith("Entrauscht in")
        assert page.get_by_role("radio", name="Beste").is_visible()
        page.keyboard.press("?")
        page.get_by_label("Sprache").select_option("en")
        page.wait_for_selector("body[data-ready]")
        assert page.locator("html").get_attribute("lang") == "en"
        visit.until("done")


def test_every_word_is_in_the_table_in_every_language() -> None:
    table = (ASSETS / "texts.js").read_text()
    found = re.findall(r'^  "?([\w ]+?)"?: \[(.*?)\],$', table, re.M | re.S)
    entries = dict(found)
    assert len(entries) == len(found) > 100
    used = set()
    for path in (*ASSETS.glob("*.js"), ASSETS.parent / "index.html"):
        text = path.read_text()
        used |= set(re.findall(r'\bt\("(\w+)"', text))
        used |= set(re.findall(r'data-t(?:-\w+)?="(\w+)"', text))
    assert used <= set(entries), used - set(entries)
    for name, words in entries.items():
        english, german = re.findall(r'"((?:[^"\\]|\\.)*)"', words)
        holes = [sorted(re.findall(r"\{(\w+)\}", text)) for text in (english, german)]
        assert holes[0] == holes[1], name
        assert german, name


def _animation(path: Path) -> None:
    frames = [Image.new("RGB", (60, 60), color) for color in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def test_a_german_page_explains_in_german(browser: Any, server: Server, pictures: Path) -> None:
    """What the service refuses or warns of has German words; English words would be seen here."""
    folder = pictures / "german"
    folder.mkdir(exist_ok=True)
    whole = (pictures / "turned.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "none.jpg").write_bytes(b"none")
    (folder / "paper.pdf").write_bytes(b"%PDF-1.7" + bytes(80))
    Image.new("LAB", (60, 60)).save(folder / "lab.tif")
    _animation(folder / "moving.gif")
    write_photo(Photo(demo_photo(64)), folder / "clean.png")
    words = {
        "cut.jpg": "beschädigt oder abgeschnitten",
        "none.jpg": "kein Bild eines bekannten Formats",
        "paper.pdf": "Das ist ein PDF-Dokument",
        "lab.tif": "Farben sind LAB",
        "moving.gif": "Das ist eine Animation",
        "clean.png": "Es ist fast rauschfrei",
    }
    with visiting(browser, server, expected="status of 4", locale="de-AT") as visit:
        page = visit.page
        visit.drop(*(folder / name for name in words))
        for place, (name, expected) in enumerate(words.items()):
            page.locator("#photos .frame").nth(place).click()
            seen = page.locator("#problem:visible, #notice-text:visible, #warnings:visible")
            seen.get_by_text(expected).wait_for(timeout=120_000)
            text = seen.inner_text()
            assert not ENGLISH.search(text), (name, text)


def test_every_usual_sentence_has_german_words(browser: Any, server: Server) -> None:
    """What is said with real numbers, asked of the code itself."""
    said = [str(full_disk()), str(stopping())]
    noise = NoiseEstimate(25.0, (0.5,), (0.1,), (0.1,), 0.0, 1.0)
    said.append(str(training_range_warning(noise)))
    said.append(str(training_range_warning(replace(noise, level=0.3))))
    said.append(str(training_range_warning(replace(noise, level=200.0, correlation=0.5))))
    said.append(str(training_range_warning(replace(noise, level=1.0), Findings(0.1, 0.2))))
    for start in (b"", b"8BPS", b"<svg", b"PK\x03\x04", b"....ftypmp42", b"x" * 70):
        with pytest.raises(ImageError) as refused:
            format_of_content(start)
        said.append(str(refused.value))
    for act in (lambda: check_size(9000, 9000, 10**6), lambda: choose_page(7, None)):
        with pytest.raises(ImageError) as refused:
            act()
        said.append(str(refused.value))
    said += [DAMAGED, raw._REMARK, files._AGAIN, *left_out(["its gain map (HDR)"])]
    with visiting(browser, server, locale="de-AT") as visit:
        ask = """async (said) => {
          const { translated } = await import("/assets/problems.js");
          return said.map((words) => translated(words));
        }"""
        german = visit.page.evaluate(ask, said)
        assert not [words for words, told in zip(said, german, strict=True) if not told]
        assert not [told for told in german if ENGLISH.search(told)]
        assert not [told for told in german if re.search(r"\d\.\d", told)], "a decimal comma"
    with visiting(browser, server, locale="en-GB") as visit:
        assert visit.page.evaluate(ask, ["it is odd"]) == ["It is odd."]
