"""One image of 5,000,000 entries on one thread and on two: to JSON, by a condition, and back"""

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
    seconds = {}
    for name, (command, path, wanted) in works.items():
        program = case.program(command[0])
        small = part if path == image else path
        one, two = (case.output([program, *command[1:], jobs, small]) for jobs in ("-j1", "-j2"))
        case.equal(f"{name}: two threads print what one prints", one, two)
        runners = [case.ours([*command, jobs, path], name=jobs) for jobs in ("-j1", "-j2")]
        rows = case.race(name, [*runners, case.twice([*command, "-j1", path])], path.stat().st_size)
        case.on_two_threads(list(rows.values()), wanted, name)
        case.memory(rows["-j2"], 24 << 20, "24 MiB")
        seconds[name] = rows["-j1"]["median"]
    case.target("lines, one thread: times the document's time", seconds["lines"] / seconds["document"], 1.9, "x",
                at_least=False)
    for name, form, rate in (("document back", "json", 1.8e9), ("lines back", "lines", 1.1e9)):
        case.target(f"{name}, one thread", texts[form].stat().st_size / seconds[name], rate, "B/s")
