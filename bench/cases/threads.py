"""One image of 5,000,000 entries on two threads: to JSON, by a condition, and back"""

expression = "compat_nr_pages > 16 && flags & PE_LAZY"


def run(case):
    image = case.data.image("pagemap-4.1", case.size(5_000_000))
    part = case.data.image("pagemap-4.1", case.size(200_000, 40_000))
    texts = {form: case.data.text(f"in.{form}", [[case.program("crit-tojson"), *options, image]])
             for form, options in (("json", []), ("lines", ["--lines"]))}
    works = {
        "document": (["crit-tojson"], image, 1.8),
        "lines": (["crit-tojson", "--lines"], image, 1.8),
        "pretty": (["crit-tojson", "--pretty"], image, 1.8),
        "condition": (["crit-grep", expression], image, 1.7),
        "lines of a condition": (["crit-grep", "--lines", expression], image, 1.7),
        "document back": (["crit-fromjson"], texts["json"], 1.7),
        "lines back": (["crit-fromjson"], texts["lines"], 1.7),
    }
    for name, (command, path, wanted) in works.items():
        program = case.program(command[0])
        small = part if path == image else None
        if small:
            one, two = (case.output([program, *command[1:], jobs, small]) for jobs in ("-j1", "-j2"))
            case.equal(f"{name}: two threads print what one prints", one, two)
        rows = case.race(name, [case.ours([*command, jobs, path], name=jobs) for jobs in ("-j1", "-j2")],
                         path.stat().st_size)
        case.target(f"{name}: speed of two threads over one", rows["-j1"]["median"] / rows["-j2"]["median"], wanted, "x")
        case.memory(rows["-j2"], 24 << 20, "24 MiB")
