// tty-info.img: which terminals there are.
#include <algorithm>

#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

void collect_tty(Model& model, std::uint32_t, const Entry& entry) {
  static const MessageReader<TtyInfo> reader{"tty_info_entry",
                                             {{"id", put<&TtyInfo::id>},
                                              {"type", put<&TtyInfo::type>},
                                              {"sid", put<&TtyInfo::sid>},
                                              {"pgrp", put<&TtyInfo::pgrp>}}};
  static const Field& pty = *reader.message().find("pty");
  static const Field& index = *pty.message().find("index");
  TtyInfo info;
  reader.read(entry.payload, info, [&](const Value& value) {
    if (value.field == &pty) info.index = static_cast<std::uint32_t>(integer_or(index, pty.message(), value.bytes, 0));
  });
  model.ttys.try_emplace(info.id, info);
}

void expect_ttys(const Model& model, Missing& missing) {
  const auto is_tty = [](const auto& file) { return file.second.type == type_tty; };
  if (std::ranges::any_of(model.files, is_tty)) missing.want("tty-info.img");
}

constexpr CollectedKind rows[] = {
    {"TTY_INFO", needs_descriptors, collect_tty, expect_ttys},
};

}  // namespace

std::span<const CollectedKind> ttys_kinds() { return rows; }

}  // namespace critpipe
