"""Instructions in user space, an entry, as callgrind counts them

The start-up is taken off. These figures do not depend on what else the machine does.
"""


def run(case):
    few, many = 1_000, case.size(21_000, 3_000)
    images = {kind: [case.data.image(kind, nr) for nr in (few, many)] for kind in ("pagemap", "pagemap-4.1", "files")}
    tojson = case.program("crit-tojson")
    texts = {kind: [case.data.text(f"{kind}-{nr}.json", [[tojson, image]]) for nr, image in zip((few, many), pair)]
             for kind, pair in images.items()}
    counted = []
    for name, inputs in (("crit-tojson", images), ("crit-fromjson", texts), ("crit-cat", images)):
        for kind in inputs:
            begin, end = (case.callgrind([case.program(name), path]) for path in inputs[kind])
            if begin is None or end is None:
                case.miss("valgrind")
                return
            size = (inputs[kind][1].stat().st_size - inputs[kind][0].stat().st_size) / (many - few)
            counted.append((f"{name}, {kind}", (end - begin) / (many - few), size))
    begin, end = (case.callgrind([case.tool("bench-protobuf"), path]) for path in images["pagemap"])
    counted.append(("protobuf's BinaryToJsonString, pagemap", (end - begin) / (many - few), 0))
    case.figures("instructions an entry", ("", "instructions an entry", "bytes an entry", "instructions a byte"),
                 [(name, f"{value:,.0f}", f"{size:.0f}" if size else "", f"{value / size:.1f}" if size else "")
                  for name, value, size in counted])
