// An inspection as people read it.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "model/namespace_kinds.hpp"
#include "report/explorers.hpp"
#include "report/inspection_report.hpp"

namespace critpipe {

namespace {

std::string cut(const std::string& text, std::size_t columns) {
  if (width_of(text) <= columns || columns < 4) return text;
  return std::string{begin_within(text, columns - 3)} + "...";
}

}  // namespace

std::string padded(std::string text, std::size_t columns) {
  const std::size_t width = width_of(text);
  if (width < columns) text.append(columns - width, ' ');
  return text;
}

std::string with_commas(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

namespace {

std::string counted(std::uint64_t number, const char* what, const char* plural = nullptr) {
  return with_commas(number) + " " + (number == 1 ? what : plural ? plural : std::string{what} + "s");
}

}  // namespace

std::string milliseconds(std::uint64_t microseconds) {
  return microseconds < 1000000 ? format("%.1f ms", static_cast<double>(microseconds) / 1000)
                                : format("%.2f s", static_cast<double>(microseconds) / 1000000);
}

namespace {

// "2026-11-26T06:13:28.805822117Z" without what is below a second.
std::string time_text(const std::string& time) {
  const std::size_t point = time.find('.');
  if (point == time.npos) return visible(time);
  const std::size_t zone = time.find_first_not_of("0123456789", point + 1);
  return visible(time.substr(0, point) + (zone == time.npos ? "" : time.substr(zone)));
}

}  // namespace

void Report::line(const std::string& text) {
  output_.write((options_.is_cut ? cut(text, options_.columns) : text) + "\n");
}

void Report::field(const char* label, const std::string& text) { line(padded(label, label_columns) + text); }

namespace {

// Where to break a line that has room for so many bytes: behind a comma, rather than between a number and its unit.
std::size_t break_of(std::string_view text, std::size_t room) {
  const std::size_t blank = text.rfind(' ', room);
  for (std::size_t at = blank; at != text.npos && at > room / 2; at = text.rfind(' ', at - 1))
    if (text[at - 1] == ',' || text[at - 1] == ';') return at;
  return blank == text.npos || blank == 0 ? text.size() : blank;
}

}  // namespace

std::string Report::fitted(const std::string& text, const char* option) const {
  const std::size_t room = options_.columns - std::min(options_.columns, label_columns);
  if (!is_brief() || !options_.is_cut || width_of(text) <= room) return text;
  const std::string hint = std::string{": "} + option;
  return cut(text, room - std::min(room, hint.size())) + hint;
}

void Report::fact(const char* label, std::string text) {
  const std::size_t room = options_.columns - std::min(options_.columns, label_columns);
  const std::size_t end =
      options_.is_cut && width_of(text) > room ? break_of(text, begin_within(text, room).size()) : text.size();
  field(label, text.substr(0, end));
  if (end < text.size()) field("", fitted(text.substr(end + 1), "--summary"));
}

void Report::rest(std::size_t left, const char* option, std::size_t indent) {
  if (left > 0) line(std::string(indent, ' ') + "and " + with_commas(left) + " more: " + option);
}

std::string Report::owners_text(const std::vector<Owner>& owners) const {
  std::string text;
  constexpr std::size_t most = 3;
  std::size_t count = 0;
  std::uint32_t last = 0;
  for (const Owner& owner : owners) {
    if (owner.pid == last) continue;
    last = owner.pid;
    if (++count > most && options_.is_cut) continue;
    const std::string comm = visible(all_.comm_of(owner.pid));
    text += (text.empty() ? "" : ", ") + comm + (comm.empty() ? "" : " ") + std::to_string(owner.pid);
  }
  if (count > most && options_.is_cut) text += format(", +%zu", count - most);
  return text;
}

bool Report::is_shown(const std::vector<Owner>& owners) const {
  return std::ranges::any_of(owners, [&](const Owner& owner) { return is_chosen(options_.pids, owner.pid); });
}

std::string plural_processes(const Inspection& all) {
  std::string text = counted(all.processes.size(), "process", "processes");
  if (all.nr_threads && *all.nr_threads > all.processes.size()) text += ", " + counted(*all.nr_threads, "thread");
  return text;
}

namespace {

std::string criu_text(const Container& container) {
  return container.criu_version.empty() ? "CRIU" : "CRIU " + visible(container.criu_version);
}

}  // namespace

void Report::title() {
  const Container& container = all_.container;
  const std::string_view pages_only = all_.checkpoint->pages_only();
  if (container.is_known()) {
    std::string text = visible(container.name.empty() ? container.id.substr(0, 12) : container.name);
    if (text.empty()) text = "-";
    if (!container.pod.empty()) {
      text += " in pod " + visible(container.pod);
      if (!container.pod_namespace.empty()) text += " of namespace " + visible(container.pod_namespace);
    }
    if (!pages_only.empty()) text += "; " + std::string{pages_only};
    fact("container", text);
    return;
  }
  if (!pages_only.empty()) return fact("checkpoint", std::string{pages_only});
  std::string text =
      (all_.knows_processes() ? plural_processes(all_) : "unknown processes") + " dumped by " + criu_text(container);
  const auto is_any = [&](bool hosts) {
    return std::ranges::any_of(all_.namespaces,
                               [&](const auto& ns) { return ns.kind == "pid" && ns.is_hosts == hosts; });
  };
  if (is_any(false)) text += " from a pid namespace of its own";
  else if (is_any(true)) text += " from the host";
  fact("checkpoint", text);
}

void Report::container() {
  const Container& container = all_.container;
  if (!container.image.empty()) fact("image", visible(container.image));
  if (container.is_known()) {
    std::string text = container.engine.empty() ? "?" : visible(container.engine);
    if (!container.engine_version.empty()) text += " " + visible(container.engine_version);
    if (!container.runtime.empty()) text += ", " + visible(container.runtime);
    if (!container.criu_version.empty()) text += ", " + criu_text(container);
    if (!container.id.empty()) text += "; id " + visible(container.id.substr(0, 12));
    fact("engine", text);
  }
  std::string text = all_.hostname.empty() ? "" : "hostname " + visible(all_.hostname);
  const auto add = [&](const std::string& part) {
    if (!part.empty()) text += (text.empty() ? "" : ", ") + part;
  };
  for (const ContainerNetwork& network : container.networks)
    for (const std::string& address : network.addresses) add(visible(address));
  if (!container.host.empty() && container.host != all_.hostname) add("on " + visible(container.host));
  if (!container.kernel.empty()) add("kernel " + visible(container.kernel));
  if (const auto* root = all_.root(); root && !root->task->machine.empty()) {
    add(lower(std::string{root->task->machine}));
  }
  if (!text.empty()) fact("host", text);
}

void Report::times() {
  std::string text;
  const auto add = [&](const char* what, const std::string& time) {
    if (!time.empty()) text += (text.empty() ? "" : ", ") + std::string{what} + time_text(time);
  };
  add("created ", all_.container.created);
  add("dumped ", all_.container.dumped);
  if (all_.statistics) {
    if (const auto frozen = all_.statistics->value("frozen_time"))
      text += (text.empty() ? "" : ", ") + std::string{"frozen "} + milliseconds(*frozen);
  }
  if (!text.empty()) fact("time", text);
}

void Report::sizes() {
  const InspectedSizes& sizes = all_.sizes;
  std::string text;
  if (sizes.input > 0) text = size_text(sizes.input) + (sizes.input < sizes.total ? " packed, " : ", ");
  text += size_text(sizes.total) + (sizes.input > 0 ? " in it" : "") + ": pages " + size_text(sizes.pages);
  if (sizes.root_difference > 0) text += ", changed files " + size_text(sizes.root_difference);
  if (sizes.volumes > 0) text += ", volumes " + size_text(sizes.volumes);
  if (sizes.gpu > 0) text += ", GPU " + size_text(sizes.gpu);
  fact("size", text);
  std::vector<std::pair<std::uint64_t, std::string>> kinds;
  if (all_.checkpoint->pages_only().empty())
    for (const auto& [kind, bytes] : sizes.pages_by_kind) kinds.push_back({bytes, kind});
  std::ranges::sort(kinds, std::greater{});
  text.clear();
  for (const auto& [bytes, kind] : kinds) text += (text.empty() ? "" : ", ") + kind + " " + size_text(bytes);
  if (sizes.parent_pages > 0) text += (text.empty() ? "" : "; ") + size_text(sizes.parent_pages) + " in the parent";
  if (sizes.lazy_pages > 0) text += (text.empty() ? "" : "; ") + size_text(sizes.lazy_pages) + " left on the source";
  if (!text.empty()) fact("pages", text);
}

void Report::namespaces() {
  std::string own, hosts, unknown;
  for (const NamespaceKind& kind : namespace_kinds()) {
    std::size_t count = 0;
    bool any_own = false, any_host = false;
    for (const InspectedNamespace& ns : all_.namespaces) {
      if (ns.kind != kind.kind) continue;
      ++count;
      any_own |= ns.is_hosts && !*ns.is_hosts;
      any_host |= ns.is_hosts && *ns.is_hosts;
    }
    if (count == 0) continue;
    std::string& list = any_own ? own : any_host ? hosts : unknown;
    list += list.empty() ? "" : " ";
    list += kind.kind;
    if (count > 1) list += format(" (%zu)", count);
  }
  std::string text = own.empty() ? "" : "own " + own;
  if (!hosts.empty()) text += (text.empty() ? "" : "; the host's ") + (own.empty() ? "the host's " + hosts : hosts);
  if (!unknown.empty()) text += (text.empty() ? "not known whose: " : "; not known: ") + unknown;
  if (!text.empty()) fact("namespaces", text);
}

void Report::rights() {
  // Processes with the same rights share a line.
  std::vector<std::pair<std::string, std::vector<const InspectedProcess*>>> groups;
  std::unordered_map<std::string, std::size_t> group_of;
  for (const InspectedProcess& process : all_.processes) {
    const Credentials& own = process.task->credentials;
    if (!own.is_known || !process.task->is_running() || !is_chosen(options_.pids, process.task->pid)) continue;
    const std::size_t count = nr_capabilities(own.effective);
    std::string names = capability_names(own.effective);
    constexpr std::size_t few = 4;
    if (is_brief() && count > few && !names.starts_with("all")) {
      std::string notable;
      for (const std::string_view name :
           {"sys_admin", "sys_ptrace", "sys_module", "net_admin", "net_raw", "bpf", "mknod"})
        if (has_capability(own.effective, name)) (notable += notable.empty() ? "" : " ") += name;
      names = std::to_string(count) + (notable.empty() ? "" : " with " + notable);
    }
    std::string text = "capabilities " + names + "; seccomp " + seccomp_text(own);
    if (own.no_new_privileges) text += "; no new privileges";
    if (!own.lsm_profile.empty()) text += "; " + visible(own.lsm_profile);
    const auto [known, is_new] = group_of.try_emplace(text, groups.size());
    if (is_new) groups.push_back({std::move(text), {}});
    groups[known->second].second.push_back(&process);
  }
  std::size_t most = is_brief() ? 2 : groups.size();
  for (std::size_t i = 0; i < std::min(most, groups.size()); ++i) {
    std::string text = groups[i].first;
    if (groups.size() > 1) {
      const Task& first = *groups[i].second.front()->task;
      text = visible(first.comm) + format(" %u", first.pid) +
             (groups[i].second.size() > 1 ? format(" and %zu more", groups[i].second.size() - 1) : "") + ": " + text;
    }
    fact(i == 0 ? "rights" : "", text);
  }
  rest(groups.size() - std::min(most, groups.size()), "--summary");
}

std::vector<Attention> Report::shown_attention() const {
  std::vector<Attention> shown;
  for (const Attention& one : all_.attention)
    if (auto chosen = chosen_of(one, options_.pids)) shown.push_back(std::move(*chosen));
  return shown;
}

void Report::attention() {
  const std::vector<Attention> all = shown_attention();
  if (all.empty()) return;
  if (!is_brief()) head("attention");
  std::size_t most = is_brief() ? limits_.attention : all.size();
  if (most + 1 == all.size()) ++most;
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) {
    const Attention& one = all[i];
    std::string text = one.text;
    if (!one.pids.empty() && one.pids.size() < all_.processes.size()) {
      text += " (";
      for (std::size_t p = 0; p < std::min<std::size_t>(3, one.pids.size()); ++p)
        text += (p == 0 ? "" : ", ") + visible(all_.comm_of(one.pids[p])) + format(" %u", one.pids[p]);
      text += one.pids.size() > 3 ? format(", +%zu)", one.pids.size() - 3) : ")";
    }
    field(is_brief() ? (i == 0 ? "attention" : "") : " ", fitted(text, "--summary"));
  }
  rest(all.size() - std::min(most, all.size()), "--summary");
}

void Report::summary() {
  title();
  container();
  times();
  sizes();
  namespaces();
  rights();
}

void Report::fit(std::size_t used) {
  struct Part {
    std::size_t* limit;
    std::size_t wanted, fewest;
    std::size_t rows() const { return wanted <= *limit + 1 ? wanted : *limit + 1; }
  };
  const auto count = [&](const auto& items) {
    return static_cast<std::size_t>(std::ranges::count_if(items, [&](const auto& item) { return is_shown(item); }));
  };
  Part parts[] = {{&limits_.processes, all_.processes.size(), 3},
                  {&limits_.sockets, shown_sockets().size(), 2},
                  {&limits_.files, count(all_.files), 1},
                  {&limits_.attention, shown_attention().size(), 2}};
  for (;;) {
    std::size_t rows = used;
    Part* longest = nullptr;
    for (Part& part : parts) {
      *part.limit = std::min(*part.limit, std::max(part.wanted, part.fewest));
      rows += part.rows();
      if (part.rows() > part.fewest + 1 && (!longest || part.rows() > longest->rows())) longest = &part;
    }
    if (rows < options_.rows || !longest) return;
    // One less, and a row that says so.
    *longest->limit = longest->rows() == longest->wanted ? longest->wanted - 2 : *longest->limit - 1;
  }
}

void Report::print() {
  if (is_brief()) {
    StringOutput text;
    Report{text, all_, options_}.summary();
    const std::string above = text.take();
    constexpr std::size_t head_and_mounts = 2;
    fit(static_cast<std::size_t>(std::ranges::count(above, '\n')) + head_and_mounts);
    output_.write(above);
  } else if (has(Section::summary)) {
    summary();
  }
  if (is_brief() || has(Section::processes)) processes();
  if (is_brief() || has(Section::sockets)) sockets();
  if (is_brief() || has(Section::files)) files();
  if (is_brief() || has(Section::mounts)) mounts();
  if (has(Section::memory)) memory();
  if (has(Section::statistics)) statistics();
  if (has(Section::configuration)) configuration();
  if (has(Section::environment)) environment();
  if (is_brief() || has(Section::summary)) attention();
}

void print_inspection(Output& output, const Inspection& inspection, const InspectionText& options) {
  Report{output, inspection, options}.print();
}

}  // namespace critpipe
