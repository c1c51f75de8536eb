// Which options of criu_opts go over CRIU's command line, and how. Facts: criu(8), criu --help of 4.1 and 4.2.
#include <algorithm>

#include "critpipe/control/criu_options.hpp"
#include "rpc/rpc_messages.hpp"

namespace critpipe {

namespace {

constexpr std::string_view ours = "critpipe says it itself";
constexpr std::string_view no_parents = "an image stream has no parents: CRIU would write a full dump without a word";
constexpr std::string_view no_server = "pages that go to a page server are not in the stream";
constexpr std::string_view no_lazy = "lazy pages are not in the stream";
constexpr std::string_view rpc_only = "CRIU knows it as an RPC option only";

// What differs from a flag of the field's own name with hyphens in it.
constexpr CriuOptionRow special[] = {
    {"images_dir_fd", "", ours, ""},
    {"images_dir", "", ours, ""},
    {"pid", "--tree", "", ""},
    {"log_level", "--verbosity", "", ""},
    {"log_file", "", ours, ""},
    {"ps", "", no_server, ""},
    {"notify_scripts", "", ours, ""},
    {"parent_img", "", no_parents, ""},
    {"track_mem", "", no_parents, ""},
    {"auto_dedup", "", "CRIU stops at it where it writes a stream", ""},
    {"work_dir_fd", "", ours, ""},
    {"veths", "--external", "", "veth[IN]:OUT"},
    {"cpu_cap", "--cpu-cap", "", "names of the bits"},
    {"exec_cmd", "", rpc_only, ""},
    {"ext_mnt", "--external", "", "mnt[KEY]:VAL"},
    {"cg_root", "--cgroup-root", "", "[CTRL:]PATH"},
    {"rst_sibling", "--restore-sibling", "", ""},
    {"inherit_fd", "--inherit-fd", "", "fd[N]:KEY"},
    {"auto_ext_mnt", "--external", "", "mnt[]"},
    {"ext_sharing", "--enable-external-sharing", "", ""},
    {"ext_masters", "--enable-external-masters", "", ""},
    {"unix_sk_ino", "--external", "", "unix[INO]"},
    {"manage_cgroups_mode", "--manage-cgroups", "", "the mode in small letters; DEFAULT is the flag alone"},
    {"irmap_scan_paths", "--irmap-scan-path", "", ""},
    {"empty_ns", "--empty-ns", "", "net"},
    {"join_ns", "--join-ns", "", "NS:FILE[,EXTRA]"},
    {"tcp_skip_in_flight", "--skip-in-flight", "", ""},
    {"lazy_pages", "", no_lazy, ""},
    {"status_fd", "", rpc_only, ""},
    {"orphan_pts_master", "", rpc_only, ""},
    {"config_file", "--config", "", ""},
    {"tls_cacert", "", no_server, ""},
    {"tls_cacrl", "", no_server, ""},
    {"tls_cert", "", no_server, ""},
    {"tls_key", "", no_server, ""},
    {"tls", "", no_server, ""},
    {"tls_no_cn_verify", "", no_server, ""},
    {"pre_dump_mode", "", "pre-dumps cannot be streamed", ""},
    {"pidfd_store_sk", "", rpc_only, ""},
    {"network_lock", "--network-lock", "", "the method in small letters"},
    {"log_to_stderr", "", ours, ""},
    {"image_io_mode", "", "how files of images are written does not matter to a stream", ""},
    {"rpc_external_files", "", rpc_only, ""},
};

std::vector<CriuOptionRow> make_rows() {
  static std::vector<std::string> flags;
  const Message& message = message_of(RpcMessage::options);
  flags.reserve(message.nr_fields);
  std::vector<CriuOptionRow> rows;
  for (const Field& field : message.all()) {
    const auto* row = std::find_if(std::begin(special), std::end(special),
                                   [&](const CriuOptionRow& known) { return known.field == field.name(); });
    if (row != std::end(special)) {
      rows.push_back(*row);
      continue;
    }
    std::string flag{"--"};
    flag += field.name();
    std::replace(flag.begin(), flag.end(), '_', '-');
    flags.push_back(std::move(flag));
    rows.push_back({field.name(), flags.back(), "", ""});
  }
  return rows;
}

std::string word_of(const Field& field, std::uint64_t number) {
  for (const Name& name : field.enum_values())
    if (name.value == number) return lower(std::string{enum_word(name.name)});
  return std::to_string(number);
}

// The bits of cpu_cap as the command line names them.
std::string cpu_names(std::uint64_t bits) {
  if (static_cast<std::uint32_t>(bits) == 0xffffffff) return "all";
  std::string names;
  constexpr std::string_view words[] = {"fpu", "cpu", "ins"};
  for (std::size_t bit = 0; bit < std::size(words); ++bit)
    if (bits >> bit & 1) names += (names.empty() ? "" : ",") + std::string{words[bit]};
  return names.empty() ? "none" : names;
}

// The text of a message's value, as the command line takes it.
std::string message_text(const Field& field, Bytes payload) {
  const Message& message = field.message();
  const auto text = [&](std::string_view name) { return text_in(message, payload, name); };
  const std::string_view name = field.name();
  if (name == "veths") return "veth[" + text("if_in") + "]:" + text("if_out");
  if (name == "ext_mnt") return "mnt[" + text("key") + "]:" + text("val");
  if (name == "unix_sk_ino") return "unix[" + std::to_string(number_in(message, payload, "inode", 0)) + "]";
  if (name == "inherit_fd") return "fd[" + std::to_string(number_in(message, payload, "fd", 0)) + "]:" + text("key");
  if (name == "cg_root") return (text("ctrl").empty() ? "" : text("ctrl") + ":") + text("path");
  if (name == "join_ns")
    return text("ns") + ":" + text("ns_file") + (text("extra_opt").empty() ? "" : "," + text("extra_opt"));
  return {};
}

// Appends the words of one value. A long option and its value are one word, so that no value reads as an option.
void append_words(const CriuOptionRow& row, const Field& field, const Value& value, std::vector<std::string>& words) {
  const std::string flag{row.flag};
  if (field.name() == "auto_ext_mnt") {
    if (value.integer) words.push_back(flag + "=mnt[]");
  } else if (field.name() == "empty_ns") {
    words.push_back(flag + "=net");
  } else if (field.name() == "cpu_cap") {
    words.push_back(flag + "=" + cpu_names(value.integer));
  } else if (field.type == Type::message) {
    words.push_back(flag + "=" + message_text(field, value.bytes));
  } else if (field.type == Type::string) {
    words.push_back(flag + "=" + std::string{text_of(value.bytes)});
  } else if (field.type == Type::enumeration) {
    const std::string word = word_of(field, value.integer);
    words.push_back(word == "default" ? flag : flag + "=" + word);
  } else if (field.type == Type::boolean) {
    if (value.integer) words.push_back(flag);
  } else {
    words.push_back(flag + "=" + std::to_string(as_integer(field.type, value.integer)));
  }
}

}  // namespace

std::span<const CriuOptionRow> criu_option_rows() {
  static const std::vector<CriuOptionRow> rows = make_rows();
  return rows;
}

Error CriuOptions::command_line(CriuUse use, std::vector<std::string>& words) const {
  const Message& message = message_of(RpcMessage::options);
  Error first;
  for (Fields fields{message, payload()}; fields.next();) {
    const Value& value = fields.value();
    if (!value.field) continue;
    const auto rows = criu_option_rows();
    const auto row = std::find_if(rows.begin(), rows.end(),
                                  [&](const CriuOptionRow& known) { return known.field == value.field->name(); });
    if (row->refused == ours || (value.field->type == Type::boolean && !value.integer)) continue;
    if (use != CriuUse::dump_stream && row->field == "pid") continue;
    if (use == CriuUse::restore && row->field == "lazy_pages") {
      words.emplace_back("--lazy-pages");
      continue;
    }
    if (row->flag.empty()) {
      const std::string text = std::string{row->field} + " does not go with a stream: " + std::string{row->refused};
      if (!first) first = {.reason = Reason::usage, .name = text};
      continue;
    }
    append_words(*row, *value.field, value, words);
  }
  return first;
}

}  // namespace critpipe
