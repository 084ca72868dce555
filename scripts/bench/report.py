"""The tables of scripts/bench_peers.py, in Markdown, and their JSON.

SPDX-License-Identifier: MIT
"""
import dataclasses
import statistics


def number(x):
    return f"{x:,.0f}" if x >= 1000 else f"{x:.3g}" if x < 100 else f"{x:.0f}"


def counterpart(who):
    """Whom of ours a peer is compared with: int8 with int8."""
    return "SafeRoute int8" if "int8" in who else "SafeRoute"


def cell(work, who):
    """Median [range], and of a peer how many times better ours is."""
    if who not in work.figures:
        return "-"
    values = work.figures[who]
    text = number(work.median(who))
    if len(values) > 1:
        text += f" [{number(min(values))}, {number(max(values))}]"
    ratio = None if who.startswith("SafeRoute") else work.ratio(counterpart(who), who)
    return text + (f" **{ratio[0]:.2f} x**" if ratio else "")


def line(cells):
    return "| " + " | ".join(cells) + " |"


def also_line(work, keys):
    found = [f"{key} {number(statistics.median(work.also[key]))}" for key in keys if work.also.get(key)]
    return f"- {work.name}: " + "; ".join(found) if found else ""


def table(part, works):
    """Who has not one figure gets no column, and a line that says why."""
    columns = [who for who in part.COLUMNS if any(who in w.figures for w in works)]
    missing = {who: why for w in works for who, why in w.missing.items() if who not in columns}
    lines = [f"**{part.TITLE}**", "", part.NOTE, ""]
    if columns:
        lines += [line(["", "unit", *columns]), line(["---"] * (2 + len(columns)))]
        lines += [line([w.name, w.unit, *(cell(w, who) for who in columns)]) for w in works]
    also = [also_line(w, getattr(part, "ALSO", ())) for w in works]
    lines += ["", *filter(None, also)] if any(also) else []
    lines += [f"\nNot measured: {who}: {' '.join(why.split())}" for who, why in missing.items()]
    return "\n".join(lines) + "\n"


def checks_table(checks):
    lines = ["**The same results?**", "", line(["", "largest difference", "correlation", ""]), line(["---"] * 4)]
    for c in checks:
        if "missing" in c:
            lines.append(line([c["name"], "-", "-", "not measured: " + " ".join(c["missing"].split())]))
            continue
        worst = f"{c['max_difference']:.2g}" if "max_difference" in c else f"{c['max_relative']:.2g} of it"
        lines.append(
            line(
                [
                    c["name"],
                    worst,
                    f"{c['correlation']:.6f}" if "correlation" in c else "",
                    "same" if c["same"] else "NOT the same",
                ]
            )
        )
    return "\n".join(lines) + "\n"


def wanted_table(verdicts):
    lines = ["**Wanted and measured**", "", line(["", "wanted", "measured", "reached"]), line(["---"] * 4)]
    for v in verdicts:
        sign = {">=": "at least", "<=": "at most"}[v["sign"]]
        lines.append(
            line(
                [
                    v["what"],
                    f"{sign} {v['wanted']:g} {v['unit']}".strip(),
                    f"{v['measured']:.3g} {v['unit']}".strip(),
                    "yes" if v["reached"] else "no",
                ]
            )
        )
    return "\n".join(lines) + "\n"


def machine_lines(machine, facts, rounds, taken_out):
    """Who was measured on what."""
    limits = {
        f"{limit['name']} {limit['threads']}": f"{number(limit['value'])} {limit['unit']}"
        for limit in machine.get("limits", [])
        if limit["name"] in ("fma", "int8")
    }
    peaks = "; measured peaks (name, threads): " + ", ".join(f"{k} {v}" for k, v in limits.items()) if limits else ""
    lines = [
        f"{machine['cpu']}, {machine['threads']} threads, {machine['isa']} kernels, "
        f"matrix products of training by {machine['matrix_products']}{peaks}."
    ]
    torch, onnx, learn = (facts.get(name) for name in ("torch", "onnx", "sklearn"))
    if torch:
        lines.append(f"PyTorch {torch['torch']} ({torch['cpu_capability']}; {'; '.join(torch['libraries'])}).")
    if onnx:
        lines.append(f"onnxruntime {onnx['onnxruntime']}.")
    if learn:
        cores = ", ".join(f"{b['internal_api']} {b['version']} core {b['architecture']}" for b in learn["blas"])
        lines.append(f"scikit-learn {learn['sklearn']}, NumPy {learn['numpy']} ({cores}).")
    many = f"Medians [range] of {rounds} rounds by turns" if rounds > 1 else "One round"
    lines.append(
        f"{many}; bold: how many times better SafeRoute is, int8 against int8, the median of the rounds' ratios."
    )
    if taken_out:
        lines.append("Taken out of everybody's environment: " + ", ".join(taken_out) + ".")
    return "\n".join(lines) + "\n"


def works_json(works):
    return [dataclasses.asdict(w) for w in works]
