"""Processor time and memory of the pages of a browser that this process has started."""

import psutil


def renderers() -> list[psutil.Process]:
    """Return the renderers of the browser that this process has started."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "--type=renderer" in " ".join(arguments(child))]


def arguments(process: psutil.Process) -> list[str]:
    """Return the arguments of a process; none where it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def cpu(process: psutil.Process) -> float:
    """Return the processor time that a process has used, in seconds."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def resident(process: psutil.Process) -> int:
    """Return the resident bytes of a process."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
