"""Build what runs in a browser: the engine as WebAssembly, the page around it, and the npm package.

    tools/build_browser.py                          # all of it into build/browser
    tools/build_browser.py --engine                 # only the engine, into build/wasm
    tools/build_browser.py --fetch                  # only the sources of libjpeg-turbo, into build
    tools/build_browser.py --jpeg SOURCES           # with libjpeg-turbo from there

The engine needs emscripten and cmake (Debian: ``apt-get install emscripten cmake nodejs``), the
codec the sources of libjpeg-turbo, which are fetched where ``build`` does not hold them. Nothing of
it goes into git.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).parents[1]
SOURCE = REPOSITORY / "src/browser"
NATIVE = REPOSITORY / "src/native"
PAGE = REPOSITORY / "src/invdn/web/page"
MODELS = REPOSITORY / "src/invdn/weights/models"
LAYERS = REPOSITORY / "src/invdn/inference"
BUILD = REPOSITORY / "build"
_TURBO = "libjpeg-turbo-2.1.5"
#: Its sources, the same bytes in either place; and their SHA-256.
_TURBO_SOURCES = (
    "http://deb.debian.org/debian/pool/main/libj/libjpeg-turbo/libjpeg-turbo_2.1.5.orig.tar.gz",
    "https://github.com/libjpeg-turbo/libjpeg-turbo/archive/refs/tags/2.1.5.tar.gz",
)
_TURBO_DIGEST = "254f3642b04e309fee775123133c6464181addc150499561020312ec61c1bf7c"
_UNREACHABLE = 3  # exit code: nobody gives the sources
_RELAXED = 17  # of clang: the first whose relaxed SIMD is the standard's

# The sizes that the check of libjpeg-turbo's CMake does not find when it compiles for WebAssembly.
_JPEG_OPTIONS = (
    "-DWITH_SIMD=0",
    "-DENABLE_SHARED=0",
    "-DWITH_TURBOJPEG=0",
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_C_FLAGS_RELEASE=-O2",
    *("-DHAVE_SIZE_T=1", "-DSIZE_T=4", "-DHAVE_UNSIGNED_LONG=1", "-DUNSIGNED_LONG=4"),
)
_JPEG_LINK = (
    "-O2",
    "-sMODULARIZE=1",
    "-sEXPORT_NAME=InvdnJpeg",
    "-sENVIRONMENT=web,worker,node",
    "-sFILESYSTEM=0",
    "-sALLOW_MEMORY_GROWTH=1",
    "-sMAXIMUM_MEMORY=2147483648",
    "-sMALLOC=emmalloc",
    "-sEXPORTED_FUNCTIONS=_malloc,_free",
    "-sEXPORTED_RUNTIME_METHODS=HEAPU8",
)
#: Modules of the page that ask the service; the browser's own take their place.
_REPLACED = ("service.js",)
#: Assets of the service's other pages.
_ELSEWHERE = ("docs.css",)
#: What goes into the head of the page.
_HEAD = "head.html"
#: What of ``src/browser`` is no module for JavaScript, and what of it programs alone need.
_NO_MODULES = ("*.c", "page", "*.md", "package.json")
_FOR_PROGRAMS = ("index.*", "node.js")
#: What of the service's page is of no use without it, and what stands in its place.
_OF_SERVICE = {
    r'(<input type="file"[^>]* accept=)"[^"]*"': r'\1"image/jpeg,image/png"',
    r'\s*<p class="soft"><a href="docs"[^\n]*': "",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--engine", action="store_true", help="only the engine, into build/wasm")
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="only the sources of libjpeg-turbo; exit code 3: they cannot be had",
    )
    parser.add_argument("--jpeg", type=Path, help="folder of libjpeg-turbo's sources")
    parser.add_argument("--to", type=Path, default=BUILD / "browser", help="folder of the site")
    chosen = parser.parse_args(arguments)
    sources = None if chosen.engine else chosen.jpeg or fetched_sources()
    if chosen.fetch:
        return
    builds = build_engine()
    if sources is None:
        return
    codec = build_codec(sources)
    assemble(chosen.to, builds, codec)
    package(chosen.to, chosen.to.with_name(f"{chosen.to.name}-npm"))
    for path, size, packed in weights(chosen.to):
        print(f"{size:>9}  {packed:>9} gzip  {path}")


def build_engine() -> dict[str, Path]:
    """Build every variant that the toolchain can, into ``build/wasm``.

    Returns:
        Name of each (``simd``, ``relaxed``, with and without ``-threads``) and its folder.
    """
    kinds = ["simd", "relaxed"] if _clang() >= _RELAXED else ["simd"]
    builds = {}
    for kind in kinds:
        for name, threads in ((kind, "OFF"), (f"{kind}-threads", "ON")):
            folder = BUILD / "wasm" / name
            options = ("OFF", threads, "ON" if kind == "relaxed" else "OFF")
            names = ("INVDN_PYTHON", "INVDN_THREADS", "INVDN_RELAXED")
            chosen = (f"-D{name}={value}" for name, value in zip(names, options))
            _run("emcmake", "cmake", "-S", str(NATIVE), "-B", str(folder), *chosen)
            _run("cmake", "--build", str(folder))
            builds[name] = folder
    return builds


def build_codec(sources: Path) -> Path:
    """Build libjpeg-turbo and what JavaScript calls of it, into ``build/wasm/jpeg``."""
    folder = BUILD / "wasm" / "jpeg"
    library = folder / "libjpeg-turbo"
    _run("emcmake", "cmake", "-S", str(sources), "-B", str(library), *_JPEG_OPTIONS)
    _run("cmake", "--build", str(library), "--target", "jpeg-static")
    _run("emcc", *_JPEG_LINK, f"-I{sources}", f"-I{library}", str(SOURCE / "jpeg.c"),
         str(library / "libjpeg.a"), "-o", str(folder / "jpeg.js"))  # fmt: skip
    return folder


def assemble(site: Path, builds: dict[str, Path], codec: Path) -> None:
    """Put the page together: its viewer, the browser's modules, the engine and the models.

    Args:
        site: folder that is made anew.
        builds: as :func:`build_engine` returns them.
        codec: as :func:`build_codec` returns it.
    """
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    for name, folder in builds.items():
        _copy(folder, site / "engine" / name, "invdn.js", "invdn.wasm", "invdn.worker.js")
    (site / "engine/builds.json").write_text(json.dumps(list(builds)))
    _copy(builds["simd"], site / "engine/pixels", "pixels.js", "pixels.wasm")
    _copy(codec, site / "engine/jpeg", "jpeg.js", "jpeg.wasm")
    models = site / "models"
    models.mkdir()
    for model in ("default", "fast"):
        (models / f"{model}.safetensors").write_bytes(
            halved((MODELS / f"{model}.safetensors").read_bytes())
        )
    for name in ("noise_shares", "error_map"):
        (models / f"{name}.json").write_text(layers_as_json(LAYERS / f"{name}.npz"))
    ignored = shutil.ignore_patterns(*_NO_MODULES, *_FOR_PROGRAMS)
    shutil.copytree(SOURCE, site / "invdn", ignore=ignored)
    _assemble_page(site)


def _assemble_page(site: Path) -> None:
    ignored = shutil.ignore_patterns(*_REPLACED, *_ELSEWHERE)
    shutil.copytree(PAGE / "assets", site / "assets", ignore=ignored)
    shutil.copy(PAGE / "manifest.webmanifest", site)
    for path in (SOURCE / "page").iterdir():
        if path.name == _HEAD:
            continue
        shutil.copy(path, site / ("assets" if path.name in _REPLACED else ".") / path.name)
    (site / "index.html").write_text(page((PAGE / "index.html").read_text()))
    names = sorted(str(path.relative_to(site)) for path in site.rglob("*") if path.is_file())
    names.remove("sw.js")
    worker = site / "sw.js"
    text = worker.read_text()
    digest = hashlib.sha256(text.encode())
    for name in names:
        digest.update(name.encode() + (site / name).read_bytes())
    policy = re.search(r'content="([^"]+)"', (SOURCE / "page" / _HEAD).read_text())
    known = {"POLICY": policy and policy[1], "VERSION": digest.hexdigest()[:16]}
    for word, value in known.items():
        text = text.replace(json.dumps(word), json.dumps(value))
    worker.write_text(text.replace('["FILES"]', json.dumps(["./", *names])))


def package(site: Path, folder: Path) -> None:
    """Lay out the npm package: the modules, and what they load in ``dist``.

    Args:
        site: as :func:`assemble` made it.
        folder: that is made anew.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns(*_NO_MODULES))
    for name in ("package.json", "README.md"):
        shutil.copy(SOURCE / name, folder / name)
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(REPOSITORY / name, folder / name)
    for name in ("engine", "models"):
        shutil.copytree(site / name, folder / "dist" / name)
    # Emscripten's scripts are no modules.
    (folder / "dist/engine/package.json").write_text('{ "type": "commonjs" }\n')


def page(html: str) -> str:
    """Turn the service's page into one that lies in any folder and asks no server."""
    head = (SOURCE / "page" / _HEAD).read_text()
    for pattern, replacement in _OF_SERVICE.items():
        html, count = re.subn(pattern, replacement, html)
        if count != 1:
            raise SystemExit(f"the service's page has {count} places like {pattern}, not 1")
    return html.replace('<link rel="icon"', f'{head}<link rel="icon"', 1)


def halved(file: bytes) -> bytes:
    """Return a .safetensors file of float32 numbers as one of float16."""
    length = int.from_bytes(file[:8], "little")
    header: dict[str, Any] = json.loads(file[8 : 8 + length])
    end, parts = 0, []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, stop = (8 + length + offset for offset in entry["data_offsets"])
        numbers = np.frombuffer(file[start:stop], "<f4").astype("<f2")
        if not np.isfinite(numbers).all():
            raise SystemExit(f"{name} does not fit into float16")
        parts.append(numbers.tobytes())
        entry.update(dtype="F16", data_offsets=[end, end + len(parts[-1])])
        end += len(parts[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return b"".join((len(text).to_bytes(8, "little"), text, *parts))


def layers_as_json(path: Path) -> str:
    """Return the trained numbers of small layers by name, flat."""
    with np.load(path, allow_pickle=False) as arrays:
        layers = {name: [float(f"{x:.9g}") for x in arrays[name].ravel()] for name in arrays.files}
    return json.dumps(layers, separators=(",", ":"))


def weights(site: Path) -> Iterator[tuple[str, int, int]]:
    """Every file of the site with its bytes, and how many they are under gzip."""
    for path in sorted(site.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield str(path.relative_to(site)), len(data), len(gzip.compress(data, 9))


def _copy(source: Path, to: Path, *names: str) -> None:
    to.mkdir(parents=True)
    for name in names:
        if (source / name).exists():
            shutil.copy(source / name, to / name)


def fetched_sources() -> Path:
    """Return the folder of libjpeg-turbo's sources in ``build``, fetched where they are missing.

    Raises:
        SystemExit: nobody gives them (exit code 3), or what came is something else.
    """
    folder = BUILD / _TURBO
    if (folder / "jpeglib.h").exists():
        return folder
    data = b""
    for address in _TURBO_SOURCES:
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310
                data = answer.read()
            break
        except OSError as error:
            sys.stderr.write(f"{address}: {error}\n")
    if not data:
        raise SystemExit(_UNREACHABLE)
    if hashlib.sha256(data).hexdigest() != _TURBO_DIGEST:
        raise SystemExit(f"what came for {_TURBO} is not it: its SHA-256 is another")
    BUILD.mkdir(exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(BUILD, filter="data")
    return folder


def _clang() -> int:
    words = subprocess.run(
        ["emcc", "-v"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    found = re.search(r"clang version (\d+)", words)
    return int(found[1]) if found else 0


def _run(*command: str) -> None:
    """Run a command quietly; where it fails, show what it said."""
    # Debian's emscripten looks for node's modules where Debian lays them.
    environment = {"NODE_PATH": "/usr/share/nodejs", **os.environ}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise SystemExit(f"{' '.join(command[:3])} failed")


if __name__ == "__main__":
    main()
