// Limits of fields, a row each. Sources: CRIU's criu/cr-restore.c, sk-inet.c, sk-unix.c, tty.c, timer.c and arch/*; of
// what CRIU passes on, the system calls that take it.
#include <algorithm>
#include <limits>

#include "check/field_limits.hpp"

namespace critpipe {

namespace {

using Unsigned = unsigned long long;
using Severity::loss;

constexpr std::uint64_t no_most = FieldLength::no_most;
constexpr FieldLength lengths[] = {
    {"user_x86_fpregs_entry", "st_space", 32, no_most},
    {"user_x86_fpregs_entry", "xmm_space", 64, no_most},
    {"user_x86_xsave_entry", "ymmh_space", 64, no_most, true},
    {"user_x86_xsave_entry", "bndreg_state", 8, no_most, true},
    {"user_x86_xsave_entry", "bndcsr_state", 8, no_most, true},
    {"user_x86_xsave_entry", "opmask_reg", 8, no_most, true},
    {"user_x86_xsave_entry", "zmm_upper", 64, no_most, true},
    {"user_x86_xsave_entry", "hi16_zmm", 128, no_most, true},
    {"user_x86_xsave_entry", "pkru", 2, no_most, true},
    {"user_aarch64_regs_entry", "regs", 31, no_most},
    {"user_aarch64_fpsimd_context_entry", "vregs", 64, no_most},
    {"user_arm_vfpstate_entry", "vfp_regs", 32, no_most},
    {"user_ppc64_regs_entry", "gpr", 32, no_most},
    {"user_s390_regs_entry", "gprs", 16, no_most},
    {"user_s390_regs_entry", "acrs", 16, no_most},
    {"user_s390_fpregs_entry", "fprs", 16, no_most},
    {"user_s390_vxrs_low_entry", "regs", 16, no_most},
    {"user_s390_vxrs_high_entry", "regs", 32, no_most},
    {"user_loongarch64_gpregs_entry", "regs", 32, no_most},
    {"user_loongarch64_fpregs_entry", "regs", 32, no_most},
    {"user_riscv64_d_ext_entry", "f", 32, no_most},
    // CRIU clears what is not there, and passes over what is more.
    {"creds_entry", "cap_inh", 2, no_most, false, 1, loss},
    {"creds_entry", "cap_prm", 2, no_most, false, 1, loss},
    {"creds_entry", "cap_eff", 2, no_most, false, 1, loss},
    {"creds_entry", "cap_bnd", 2, no_most, false, 1, loss},
    {"creds_entry", "groups", 0, 65536},
    {"siginfo_entry", "siginfo", 128, 128},
    {"seccomp_filter", "filter", 8, std::uint64_t{8} * 4096, false, 8},
    {"sk_opts_entry", "so_filter", 0, 4096},
    {"termios_entry", "c_cc", 19, no_most},
    {"unix_sk_entry", "name", 0, 108},
    {"mm_entry", "mm_saved_auxv", 0, 64},  // of any machine
    {"cg_controller_entry", "cnames", 1, no_most},
    {"userns_entry", "uid_map", 0, 340},
    {"userns_entry", "gid_map", 0, 340},
};

constexpr std::int64_t endless = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t last_pid = 4194304, last_usec = 999'999, last_nsec = 999'999'999;
constexpr std::int64_t last_descriptor = (std::int64_t{1} << 28) - 1;  // the largest table that a kernel makes
constexpr FieldRange ranges[] = {
    {"pstree_entry", "pid", 1, last_pid},
    {"pstree_entry", "ppid", 0, last_pid},
    {"pstree_entry", "pgid", 0, last_pid},
    {"pstree_entry", "sid", 0, last_pid},
    {"task_core_entry", "oom_score_adj", -1000, 1000, loss},
    {"thread_core_entry", "pdeath_sig", 0, 64},
    {"creds_entry", "secbits", 0, 0xfff},
    {"creds_entry", "no_new_privs", 0, 1},
    {"itimer_entry", "isec", 0, endless},
    {"itimer_entry", "iusec", 0, last_usec},
    {"itimer_entry", "vsec", 0, endless},
    {"itimer_entry", "vusec", 0, last_usec},
    {"posix_timer_entry", "it_id", 0, std::numeric_limits<std::int32_t>::max()},
    {"posix_timer_entry", "isec", 0, endless},
    {"posix_timer_entry", "insec", 0, last_nsec},
    {"posix_timer_entry", "vsec", 0, endless},
    {"posix_timer_entry", "vnsec", 0, last_nsec},
    {"timerfd_entry", "isec", 0, endless},
    {"timerfd_entry", "insec", 0, last_nsec},
    {"timerfd_entry", "vsec", 0, endless},
    {"timerfd_entry", "vnsec", 0, last_nsec},
    {"fdinfo_entry", "fd", 0, last_descriptor},
    {"inet_sk_entry", "src_port", 0, 65535, loss},  // the low 16 bits make another port
    {"inet_sk_entry", "dst_port", 0, 65535, loss},
    {"ip_opts_entry", "tos", 0, 255, loss},
    {"ip_opts_entry", "ttl", 1, 255},
    {"sk_opts_entry", "so_buf_lock", 0, 3},
    {"sk_opts_entry", "tcp_keepcnt", 1, 127},
    {"sk_opts_entry", "tcp_keepidle", 1, 32767},
    {"sk_opts_entry", "tcp_keepintvl", 1, 32767},
    {"tcp_opts_entry", "keepcnt", 1, 127},
    {"tcp_opts_entry", "keepidle", 1, 32767},
    {"tcp_opts_entry", "keepintvl", 1, 32767},
    {"tcp_stream_entry", "snd_wscale", 0, 14},
    {"tcp_stream_entry", "rcv_wscale", 0, 14},
    {"netlink_sk_entry", "protocol", 0, 31},
    {"packet_sock_entry", "protocol", 0, 65535, loss},
    {"packet_sock_entry", "version", 0, 2},
    {"uid_gid_extent", "count", 1, std::numeric_limits<std::uint32_t>::max()},
};

constexpr std::uint64_t reset_on_fork = 0x40000000;  // SCHED_RESET_ON_FORK
constexpr std::uint64_t autodisarm = 0x80000000;     // SS_AUTODISARM

std::uint64_t count_of(const Record& record, std::string_view field) {
  std::uint64_t count = 0;
  record.each_number(field, [&](std::uint64_t) { ++count; });
  return count;
}

// Of all signals but SIGKILL and SIGSTOP. A task that has ended has none, and older releases have an image for them.
std::string fault_of_actions(const Record& core) {
  constexpr std::uint32_t mips = 6;
  const unsigned want = core.id("mtype") == mips ? 126 : 62;
  unsigned count = 0;
  core.inner("tc").each("sigactions", [&](const Record&) { ++count; });
  return count == 0 || count == want ? std::string{} : format("%u values, and CRIU wants %u", count, want);
}

// Without a policy neither is looked at.
std::string fault_of_nice(const Record& thread) {
  const auto nice = static_cast<std::int32_t>(thread.number("sched_nice"));
  if (!thread.has("sched_policy") || (nice >= -20 && nice <= 19)) return {};
  return format("%d is not from -20 to 19", nice);
}

std::string fault_of_priority(const Record& thread) {
  if (!thread.has("sched_policy")) return {};
  constexpr std::uint64_t fifo = 1, round_robin = 2;
  const std::uint64_t policy = thread.number("sched_policy") & ~reset_on_fork;
  const bool has_one = policy == fifo || policy == round_robin;
  const std::uint32_t priority = thread.id("sched_prio");
  if (has_one ? priority >= 1 && priority <= 99 : priority == 0) return {};
  return format("%u is not %s, as the policy wants", priority, has_one ? "from 1 to 99" : "0");
}

std::string fault_of_limit(const Record& limit) {
  const Unsigned current = limit.number("cur"), most = limit.number("max");
  return current <= most ? std::string{} : format("%llu is above the maximum, %llu: CRIU lowers it", current, most);
}

// CRIU 0.1 wrote 4 words for IPv4, too.
std::string fault_of_address(const Record& socket, std::string_view field) {
  constexpr std::uint32_t inet = 2, inet6 = 10;
  const std::uint64_t words = count_of(socket, field);
  const std::uint32_t family = socket.id("family");
  const bool is_known = family == inet ? words >= 1 : family == inet6 ? words == 4 : true;
  return is_known ? std::string{} : format("an address of another family: words: %llu", Unsigned{words});
}

// A raw socket may have any.
std::string fault_of_protocol(const Record& socket) {
  constexpr std::uint32_t stream = 1, datagram = 2;
  constexpr std::uint32_t ip = 0, icmp = 1, tcp = 6, udp = 17, icmp6 = 58, udplite = 136, mptcp = 262;
  constexpr std::uint32_t of_streams[] = {ip, tcp, mptcp}, of_datagrams[] = {ip, icmp, udp, icmp6, udplite};
  constexpr std::uint32_t listens = 10;
  const std::uint32_t type = socket.id("type"), protocol = socket.id("proto");
  if (socket.id("state") == listens && protocol != tcp) return format("%u, and the socket listens", protocol);
  const bool is_known = type == stream     ? std::ranges::find(of_streams, protocol) != std::end(of_streams)
                        : type == datagram ? std::ranges::find(of_datagrams, protocol) != std::end(of_datagrams)
                                           : protocol <= mptcp;
  return is_known ? std::string{} : format("%u is no protocol of sockets of its type", protocol);
}

std::string fault_of_timer_signal(const Record& timer) {
  constexpr std::uint32_t sends_none = 1, last_signal = 128;  // of any machine
  const std::uint32_t signal = timer.id("si_signo");
  if (timer.id("it_sigev_notify") == sends_none || (signal >= 1 && signal <= last_signal)) return {};
  return format("%u is no signal", signal);
}

// By which a watched file is opened that has no path.
std::string fault_of_handle(const Record& handle) {
  const std::uint64_t words = count_of(handle, "handle"), bytes = handle.id("bytes");
  if (words * sizeof(std::uint64_t) >= bytes || handle.has("path")) return {};
  return format("%llu values, for a handle of %llu bytes", Unsigned{words}, Unsigned{bytes});
}

constexpr FieldRelation relations[] = {
    {"core_entry", "tc.sigactions", list_length, fault_of_actions},
    {"thread_core_entry", "sched_nice", value_range, fault_of_nice},
    {"thread_core_entry", "sched_prio", value_range, fault_of_priority},
    {"rlimit_entry", "cur", value_range, fault_of_limit, loss},
    {"inet_sk_entry", "src_addr", list_length,
     [](const Record& socket) { return fault_of_address(socket, "src_addr"); }},
    {"inet_sk_entry", "dst_addr", list_length,
     [](const Record& socket) { return fault_of_address(socket, "dst_addr"); }},
    {"inet_sk_entry", "proto", value_unknown, fault_of_protocol},
    {"posix_timer_entry", "si_signo", value_range, fault_of_timer_signal},
    {"fh_entry", "handle", list_length, fault_of_handle},
};

}  // namespace

std::span<const FieldLength> field_lengths() { return lengths; }
std::span<const FieldRange> field_ranges() { return ranges; }
std::span<const FieldRelation> field_relations() { return relations; }

std::span<const FieldChoice> field_choices() {
  static const std::vector<FieldChoice> all{
      {"user_x86_regs_entry", "mode"},
      {"thread_core_entry", "sched_policy", {0, 1, 2, 3, 5}, reset_on_fork},  // SCHED_OTHER, _FIFO, _RR, _BATCH, _IDLE
      {"thread_sas_entry", "ss_flags", {0, 1, 2}, autodisarm, loss},
      {"posix_timer_entry", "it_sigev_notify", {0, 1, 2, 4}},  // SIGEV_SIGNAL, _NONE, _THREAD, _THREAD_ID
      {"inet_sk_entry", "family", {2, 10}},                    // AF_INET, AF_INET6
      {"inet_sk_entry", "type", {1, 2, 3}},                    // SOCK_STREAM, SOCK_DGRAM, SOCK_RAW
      {"inet_sk_entry", "state", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 0, loss},  // TCP_ESTABLISHED to TCP_CLOSING
      {"inet_sk_entry", "shutdown"},
      {"unix_sk_entry", "type", {1, 2, 3, 5}},          // and SOCK_SEQPACKET
      {"unix_sk_entry", "state", {1, 7, 10}, 0, loss},  // TCP_ESTABLISHED, TCP_CLOSE, TCP_LISTEN
      {"unix_sk_entry", "shutdown"},
      {"packet_sock_entry", "type", {2, 3, 10}},      // and SOCK_PACKET
      {"timerfd_entry", "clockid", {0, 1, 7, 8, 9}},  // CLOCK_REALTIME, _MONOTONIC, _BOOTTIME, and what wakes by them
  };
  return all;
}

}  // namespace critpipe
