// JSON -> images. Expected bytes are written as messages in hex; each case is also fed one character at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "critpipe/fields.hpp"
#include "critpipe/json.hpp"
#include "base/base64.hpp"

namespace critpipe {
namespace {

using namespace std::string_literals;

struct Result final : EncodeSink {
  std::vector<std::pair<std::string, std::string>> images;  // name, bytes
  std::string missing;
  std::string error;
  std::size_t nr_ended = 0;
  std::size_t largest = 0;

  Step begin(const Begin& image) override {
    images.emplace_back(image.name, "");
    return Step::go;
  }
  Step bytes(Bytes bytes) override {
    images.back().second.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    largest = std::max(largest, bytes.size());
    return Step::go;
  }
  Step end() override {
    ++nr_ended;
    return Step::go;
  }
  Step missing_raw(std::string_view name, std::uint64_t size) override {
    missing += std::string{name} + ":" + std::to_string(size);
    return Step::go;
  }
};

Result encode(std::string_view json, std::size_t block = ~std::size_t{0}, const Limits& limits = {}) {
  Result result;
  JsonEncoder encoder{result, "in.json", limits};
  Step step = Step::go;
  for (; step == Step::go && !json.empty(); json.remove_prefix(std::min(block, json.size())))
    step = encoder.feed(std::as_bytes(std::span{json.substr(0, block)}));
  if (step == Step::go) step = encoder.finish();
  if (step == Step::stop) result.error = to_string(encoder.error());
  return result;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out;
}

// Head and one entry of FS or another kind, the payload in hex.
std::string document(std::string_view magic, std::string_view entries) {
  return "{\"magic\": \"" + std::string{magic} + "\", \"entries\": [" + std::string{entries} + "]}\n";
}

std::string bytes_of(std::string_view magic, std::string_view entries) {
  const Result result = encode(document(magic, entries));
  EXPECT_EQ(result.error, "") << entries;
  const Result slow = encode(document(magic, entries), 1);
  EXPECT_EQ(slow.images, result.images) << entries;
  EXPECT_EQ(result.nr_ended, 1u);
  return result.images.empty() ? "" : result.images[0].second;
}

// The bytes after the head.
std::string hex_of(std::string_view magic, std::string_view entries) {
  const std::string bytes = bytes_of(magic, entries);
  return bytes.size() < 8 ? "" : hex(bytes.substr(8));
}

// The error without its place, which a ^ in the text marks.
std::string error_of(std::string json) {
  const std::size_t place = json.find('^');
  json.erase(place, 1);
  const Result result = encode(json), slow = encode(json, 1);
  EXPECT_EQ(result.error, slow.error) << json;
  EXPECT_EQ(result.images, slow.images) << json;
  const std::string front = "in.json: offset " + std::to_string(place) + ": ";
  EXPECT_EQ(result.error.substr(0, front.size()), front) << result.error;
  return result.error.substr(std::min(result.error.size(), front.size()));
}

TEST(Encode, Heads) {
  EXPECT_EQ(hex(bytes_of("FS", "")), "1943565412394051");
  EXPECT_EQ(hex(bytes_of("INVENTORY", "")), "16313158");
  EXPECT_EQ(hex(bytes_of("STATS", "")), "4059105506330957");
  const auto with_head = [](std::string_view head) {
    return hex(
        encode("{\"magic\": \"FS\", \"head\": \"" + std::string{head} + "\", \"entries\": []}").images[0].second);
  };
  EXPECT_EQ(with_head("bare"), "12394051");
  EXPECT_EQ(with_head("common"), "1943565412394051");
  EXPECT_EQ(with_head("service"), "4059105512394051");
}

TEST(Encode, Integers) {
  const struct {
    std::string_view value, bytes;
  } rows[] = {
      {"1", "0801"},           {"0", "0800"},        {"4294967295", "08ffffffff0f"},
      {"1.0", "0801"},         {"1e3", "08e807"},    {"\"7\"", "0807"},
      {"\" 0x1F \"", "081f"},  {"\"0b11\"", "0803"}, {"\"0o17\"", "080f"},
      {"\"1_000\"", "08e807"}, {"\"+5\"", "0805"},   {"\"00\"", "0800"},
      {"true", "0801"},        {"false", "0800"},    {"-0", "0800"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(hex_of("FS", "{\"cwd_id\": " + std::string{row.value} + ", \"root_id\": 2}"),
              (row.bytes.size() == 4   ? "04"
               : row.bytes.size() == 6 ? "05"
                                       : "08") +
                  "000000"s + std::string{row.bytes} + "1002")
        << row.value;
}

TEST(Encode, IntegersThatAreNone) {
  const struct {
    std::string_view value, sentence;
  } rows[] = {
      {"4294967296", "4294967296 is out of range for uint32"},
      {"-1", "-1 is out of range for uint32"},
      {"1.5", "\"1.5\" is no integer"},
      {"1e40",
       "\"1e40\" has been rounded by a program on its way here; write all of its digits, or "
       "let crit-tojson --big-numbers=text write them in quotes"},
      {"99999999999999999999", "\"99999999999999999999\" is out of range"},
      {"\"017\"", "wants an integer, not \"017\""},
      {"\"5.0\"", "wants an integer, not \"5.0\""},
      {"\"\"", "wants an integer, not \"\""},
      {"017", "wants an integer, not \"017\""},
      {"NaN", "wants an integer, not \"NaN\""},
      {"[1]", "wants an integer, not \"[\""},
  };
  for (const auto& row : rows)
    EXPECT_EQ(error_of(document("FS", "{\"cwd_id\": ^" + std::string{row.value} + ", \"root_id\": 2}")),
              "entry 0: \"cwd_id\" of fs_entry: " + std::string{row.sentence});
}

TEST(Encode, HumanForms) {
  // vma_entry: prot 5, flags 6, status 7
  const std::string vma = hex_of("VMAS", R"({"start": "0x1000", "end": "0x2000", "pgoff": 0, "shmid": 0,
    "prot": "PROT_READ | PROT_EXEC | PROT_READ", "flags": "MAP_PRIVATE | 0x800", "status": "", "fd": -1})");
  EXPECT_EQ(vma,
            "130000000880201080401800200028053082103800"
            "4001");
  EXPECT_EQ(hex_of("INOTIFY_WD", R"({"id": 1, "i_ino": 2, "mask": "0x3", "ignored_mask": 0, "s_dev": "8:1", "wd": 6,
    "f_handle": {"bytes": 8, "type": 1, "handle": [1, "2"]}})")
                .substr(0, 30),
            "19000000080110021803200028"
            "8180");
  EXPECT_EQ(error_of(document("INOTIFY_WD", R"({"s_dev": ^"8:1048576"})")),
            "entry 0: \"s_dev\" of inotify_wd_entry: \"8:1048576\": a number is too large for the bits "
            "that it has");
  EXPECT_EQ(error_of(document("VMAS", R"({"prot": ^"PROT_REED"})")),
            "entry 0: \"prot\" of vma_entry: \"PROT_REED\" is no name that it knows, and no number; did "
            "you mean \"PROT_READ\"?");
}

TEST(Encode, OldDevices) {
  EXPECT_EQ(hex_of("IRMAP_CACHE", R"({"dev": "1110:74616", "inode": 1, "path": ""})"), "0a00000008f8acd1910110011a00");
}

TEST(Encode, EnumsAndBooleans) {
  const std::string named = hex_of("FDINFO", R"({"id": 1, "flags": 0, "type": "REG", "fd": 3})");
  EXPECT_EQ(named, "080000000801100018012003");
  EXPECT_EQ(hex_of("FDINFO", R"({"id": 1, "flags": 0, "type": 1, "fd": 3})"), named);
  EXPECT_EQ(hex_of("FDINFO", R"({"id": 1, "flags": 0, "type": "1", "fd": 3})"), named);
  EXPECT_EQ(hex_of("FDINFO", R"({"id": 1, "flags": 0, "type": 7777, "fd": 3})"),
            "0900000008011000"
            "18e13c2003");
  EXPECT_EQ(error_of(document("FDINFO", R"({"type": ^"REGG"})")),
            "entry 0: \"type\" of fdinfo_entry: \"REGG\" is no name that it knows, and no number; did you "
            "mean \"REG\"?");
  for (std::string_view yes : {"true", "1", "\"true\""})
    EXPECT_EQ(hex_of("PAGEMAP", "{\"pages_id\": 1}, {\"vaddr\": 0, \"compat_nr_pages\": 1, \"in_parent\": " +
                                    std::string{yes} + "}"),
              "020000000801"
              "06000000080010011801");
  EXPECT_EQ(
      error_of(document("PAGEMAP", R"({"pages_id": 1}, {"vaddr": 0, "compat_nr_pages": 1, "in_parent": ^"yes"})")),
      "entry 1: \"in_parent\" of pagemap_entry: wants true or false, not \"yes\"");
}

TEST(Encode, Texts) {
  const auto path = [](std::string_view text) {
    return hex_of("IRMAP_CACHE", "{\"dev\": 1, \"inode\": 2, \"path\": " + std::string{text} + "}").substr(16);
  };
  EXPECT_EQ(path(R"("a\u00e9\n\/\ud83d\ude00\u0000")"),
            "1a0a"
            "61c3a90a2ff09f988000");
  EXPECT_EQ(path("\"\xc3\xa9\""), "1a02c3a9");
  EXPECT_EQ(path(R"({"base64": "/w=="})"), "1a01ff");
  EXPECT_EQ(error_of(document("IRMAP_CACHE", R"({"dev": 1, "inode": 2, "path": ^5})")),
            "entry 0: \"path\" of irmap_cache_entry: wants a string");
  EXPECT_EQ(error_of(document("IRMAP_CACHE", R"({"dev": 1, "inode": 2, "path": "^\ud800"})")),
            "entry 0: not JSON: an escape that JSON does not have, or half of a surrogate pair");
  EXPECT_EQ(error_of(document("IRMAP_CACHE", "{\"dev\": 1, \"inode\": 2, \"path\": \"a^\nb\"}")),
            "entry 0: not JSON: a control character in a text; JSON wants it as \\n, \\t or \\u00XX");
  EXPECT_EQ(error_of(document("IRMAP_CACHE", "{\"dev\": 1, \"inode\": 2, \"path\": \"a^\xff\"}")).substr(0, 36),
            "entry 0: the input is not text: JSON");
}

constexpr std::string_view socket_front =
    R"({"id": 1, "ino": 2, "type": "STREAM", "state": 7, "flags": "0x8002", "uflags": 1, "backlog": 0, "peer": 0,
        "fown": {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}, "opts": {"so_sndbuf": 1, "so_rcvbuf": 2,)";

TEST(Encode, UnixNames) {
  const auto name = [](std::string_view seconds, std::string_view text) {
    const std::string bytes =
        hex_of("UNIXSK", std::string{socket_front} + R"("so_snd_tmo_sec": )" + std::string{seconds} +
                             R"(, "so_snd_tmo_usec": 0, "so_rcv_tmo_sec": 0, "so_rcv_tmo_usec": 0},
                                                   "name": )" +
                             std::string{text} + "}");
    return bytes.substr(bytes.find("5a"));
  };
  EXPECT_EQ(name("0", R"("=00abs")"), "5a0400616273");
  EXPECT_EQ(name("0", R"({"base64": "DQo="})"), "5a020d0a");
  EXPECT_EQ(name("0", R"("AGFicw==")"), "5a074147466963773d");  // as crit reads it
  EXPECT_EQ(name("\"0\"", R"("AGFicw==")"), "5a0400616273");    // as go-criu writes it
  EXPECT_EQ(name("\"0\"", R"("=00abs")"), "5a0400616273");
}

TEST(Encode, Addresses) {
  const auto socket = [](std::string_view list) {
    return R"({"id": 1, "ino": 2, "family": "INET", "type": 1, "proto": "TCP", "state": "LISTEN", "src_port": 1,
      "dst_port": 2, "flags": 0, "backlog": 0, "fown": {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0},
      "opts": {"so_sndbuf": 1, "so_rcvbuf": 2, "so_snd_tmo_sec": 0, "so_snd_tmo_usec": 0, "so_rcv_tmo_sec": 0,
      "so_rcv_tmo_usec": 0}, "dst_addr": [], "src_addr": )" +
           std::string{list} + "}";
  };
  const auto source = [&](std::string_view list) {
    const std::string bytes = hex_of("INETSK", socket(list));
    const std::size_t begin = bytes.find("5000") + 4;  // the backlog, then the address, then fown
    return bytes.substr(begin, bytes.find("6a", begin) - begin);
  };
  EXPECT_EQ(source("[]"), "");
  EXPECT_EQ(source("[1]"), "5801");
  EXPECT_EQ(source("[\"1.0.0.127\"]"), "58818080f807");
  EXPECT_EQ(source("[127, 0, \"0x1\"]"), "587f58005801");
  EXPECT_EQ(source("[\"::1\"]"),
            "580058005800588080"
            "8008");
  EXPECT_EQ(error_of(document("INETSK", socket("[^\"1.2.3\"]"))),
            "entry 0: \"src_addr\" of inet_sk_entry: \"1.2.3\" is no IPv4 or IPv6 address");
}

TEST(Encode, KeysInAnyOrder) {
  EXPECT_EQ(hex_of("FS", R"({"root_id": 2, "cwd_id": 1, "umask": 3})"),
            "06000000"
            "080110021803");
  EXPECT_EQ(hex_of("FS", R"({"umask": 9, "root_id": 2, "cwd_id": 1, "umask": 3})"),
            "06000000"
            "080110021803");
  EXPECT_EQ(hex_of("FS", R"({"cwdId": 1, "rootId": 2, "umask": null})"),
            "04000000"
            "08011002");
  EXPECT_EQ(hex_of("FS", R"({"\u0063wd_id": 1, "root_id": 2})"),
            "04000000"
            "08011002");
  EXPECT_EQ(error_of(document("FS", R"({^"cwd": 1})")), "entry 0: fs_entry has no field \"cwd\"");
  EXPECT_EQ(error_of(document("FS", R"({^"cwd_ld": 1})")),
            "entry 0: fs_entry has no field \"cwd_ld\"; did you mean \"cwd_id\"?");
  EXPECT_EQ(error_of(document("FS", R"(^{"umask": 1})")),
            "entry 0: required field cwd_id, root_id of fs_entry is missing");
}

TEST(Encode, Repeated) {
  EXPECT_EQ(hex_of("CREDS", R"({"uid": 0, "gid": 0, "euid": 0, "egid": 0, "suid": 0, "sgid": 0, "fsuid": 0, "fsgid": 0,
    "cap_inh": [1, "0x2"], "cap_prm": [], "cap_eff": [], "cap_bnd": [], "secbits": 0, "groups": [5, 6]})"),
            "1a000000"
            "08001000180020002800300038004000"
            "48014802"
            "680070057006");
}

TEST(Encode, PagemapsOfOldCrit) {
  EXPECT_EQ(hex_of("PAGEMAP", R"({"pages_id": 1}, {"vaddr": 4096, "nr_pages": 3, "flags": 4})"),
            "020000000801"
            "07000000088020100320"
            "04");
  EXPECT_EQ(hex_of("PAGEMAP", R"({"pages_id": 1}, {"vaddr": 4096, "compat_nr_pages": 0, "flags": 4, "nr_pages": 3})"),
            "020000000801"
            "090000000880201000200428"
            "03");
}

TEST(Encode, UnknownFields) {
  EXPECT_EQ(hex_of("FS", R"({"cwd_id": 1, "root_id": 2, "_unknown": [{"field": 99, "varint": 7},
    {"field": 100, "bytes": "AAE=\n"}, {"field": 101, "fixed32": 1}, {"field": 102, "fixed64": "0x2"},
    {"field": 103, "group": "CAE=\n"}, {"field": 104, "group": [{"field": 1, "varint": 1}]}]})"),
            "2800000008011002"
            "980607"
            "a206020001"
            "ad0601000000"
            "b1060200000000000000"
            "bb060801bc06"
            "c3060801c406");
  EXPECT_EQ(hex_of("FS", R"({"cwd_id": 1, "root_id": 2, "_unknown": [{"field": 1, "fixed32": 7}]})"),
            "0900000008010d070000001002");
  EXPECT_EQ(error_of(document("FS", R"({"cwd_id": 1, "root_id": 2, "_unknown": [{"field": ^0, "varint": 7}]})")),
            "entry 0: \"field\" wants a number from 1 to 536870911");
  EXPECT_EQ(error_of(document("FS", R"(^{"cwd_id": 1, "root_id": 2, "_unknown": [{"field": 7, "group": "/w=="}]})"))
                .substr(0, 80),
            "entry 0: with its \"_unknown\" fields the message would not be readable: wire type");
}

TEST(Encode, Wire) {
  // 10 02 08 01: the same fields in the other order; 08 81 00: a long varint.
  EXPECT_EQ(hex_of("FS", R"({"cwd_id": 1, "root_id": 2, "_wire": "EAIIAQ==\n"})"),
            "04000000"
            "10020801");
  EXPECT_EQ(hex_of("FS", R"({"cwd_id": 1, "root_id": 2, "_wire": "CIEAEAI=\n"})"),
            "05000000"
            "0881001002");
  EXPECT_EQ(hex_of("FS", R"({"cwd_id": 3, "root_id": 2, "_wire": "EAIIAQ==\n"})"),
            "04000000"
            "08031002");  // edited
}

TEST(Encode, Extras) {
  EXPECT_EQ(hex_of("PIPES_DATA", R"({"pipe_id": 1, "bytes": 3, "extra": "YWJj\n"})"),
            "04000000"
            "08011003"
            "616263");
  EXPECT_EQ(hex_of("PIPES_DATA", R"({"extra": "YWJj\n", "pipe_id": 1, "bytes": 3})"),
            "04000000"
            "08011003"
            "616263");
  EXPECT_EQ(hex_of("PIPES_DATA", R"({"pipe_id": 1, "bytes": 0})"),
            "04000000"
            "08011000");
  EXPECT_EQ(hex_of("PIPES_DATA", R"({"pipe_id": 1, "bytes": 0, "extra": null})"),
            "04000000"
            "08011000");
  EXPECT_EQ(hex_of("IPCNS_SEM", R"({"desc": {"key": 0, "uid": 0, "gid": 0, "cuid": 0, "cgid": 0, "mode": 0, "id": 0},
    "nsems": 2, "extra": [1, 65535]})")
                .substr(44),
            "0100ffff00000000");
  EXPECT_EQ(hex_of("IPCNS_SEM", R"({"desc": {"key": 0, "uid": 0, "gid": 0, "cuid": 0, "cgid": 0, "mode": 0, "id": 0},
    "nsems": 2, "extra": "[1,65535]"})")
                .substr(44),
            "0100ffff00000000");
  EXPECT_EQ(hex_of("IPCNS_SEM", R"({"desc": {"key": 0, "uid": 0, "gid": 0, "cuid": 0, "cgid": 0, "mode": 0, "id": 0},
    "nsems": 2, "extra": [1, 2, 3, 4]})")
                .substr(44),
            "0100020003000400");  // padding that is not zero
  EXPECT_EQ(hex_of("IPCNS_MSG", R"({"desc": {"key": 0, "uid": 0, "gid": 0, "cuid": 0, "cgid": 0, "mode": 0, "id": 0},
    "qbytes": 9, "qnum": 2, "extra": [{"mtype": 1, "msize": 3}, "YWJj\n", {"mtype": 2, "msize": 0}, ""]})")
                .substr(48),
            "04000000"
            "08011003"
            "6162630000000000"
            "04000000"
            "08021000");
  EXPECT_EQ(hex_of("FS", R"({"cwd_id": 1, "root_id": 2, "extra": ""})"),
            "04000000"
            "08011002");
  EXPECT_EQ(hex_of("FS", R"({"cwd_id": 1, "root_id": 2, "extra": [ ]})"),
            "04000000"
            "08011002");
}

TEST(Encode, ExtrasThatAreWrong) {
  const auto pipe = [](std::string_view extra) {
    const bool at_entry = extra == "^";
    return error_of(document("PIPES_DATA", std::string{at_entry ? "^" : ""} + "{\"pipe_id\": 1, \"bytes\": 3" +
                                               std::string{at_entry ? "" : extra} + "}"));
  };
  EXPECT_EQ(pipe(", \"extra\": ^\"YWI=\""), "entry 0: the extra has 2 bytes, and the message says 3");
  EXPECT_EQ(pipe(", \"extra\": ^\"YWJjZA==\""), "entry 0: the extra has 4 bytes, and the message says 3");
  const std::string gone = " was left out (--no-payload): no image can be made without it";
  EXPECT_EQ(pipe("^"), "entry 0: the extra of 3 bytes" + gone);
  EXPECT_EQ(pipe(", \"extra\": ^null"), "entry 0: the extra of 3 bytes" + gone);
  EXPECT_EQ(pipe(", \"extra\": ^\"... <3B>\""), "entry 0: the extra" + gone);
  EXPECT_EQ(pipe(", \"extra\": ^\"3 B\""), "entry 0: the extra" + gone);
  EXPECT_EQ(pipe(", \"extra\": ^\"YWJ\""), "entry 0: base64 ends early, or its = at the end is lost");
  EXPECT_EQ(pipe(", \"extra\": ^3"), "entry 0: the extra of PIPES_DATA wants base64 text");
  EXPECT_EQ(error_of(document("FS", R"({"cwd_id": 1, "root_id": 2, "extra": ^"YQ=="})")),
            "entry 0: images of kind FS have no extra");
}

TEST(Encode, GhostFiles) {
  const std::string front = R"({"uid": 0, "gid": 0, "mode": 0)";
  EXPECT_EQ(hex_of("GHOST_FILE", front + R"(, "extra": "YWJj\n"})"),
            "06000000"
            "080010001800"
            "616263");
  EXPECT_EQ(hex_of("GHOST_FILE", front + R"(, "extra": ""})"),
            "06000000"
            "080010001800");
  EXPECT_EQ(hex_of("GHOST_FILE", front + R"(, "chunks": true}, {"len": 3, "off": 4, "extra": "YWJj\n"})"),
            "08000000"
            "0800100018004801"
            "04000000"
            "08031004"
            "616263");
  EXPECT_EQ(hex_of("GHOST_FILE", front + R"(, "ino": "5", "extra": "YWJjAAAAAAAAAAA="})"),
            "08000000"
            "0800100018002805"
            "616263");  // go-criu's eight zeros
  EXPECT_EQ(error_of(document("GHOST_FILE", "^" + front + "}")),
            "entry 0: the extra was left out (--no-payload): no image can be made without it");
}

TEST(Encode, Forms) {
  const std::string fs =
      "1943565412394051"
      "04000000"
      "08011002";
  const auto images = [](std::string_view json) {
    const Result result = encode(json), slow = encode(json, 1);
    EXPECT_EQ(result.images, slow.images);
    EXPECT_EQ(result.error, slow.error);
    EXPECT_EQ(result.missing, slow.missing);
    std::string out = result.error + result.missing;
    for (const auto& [name, bytes] : result.images) out += name + "=" + hex(bytes) + ";";
    return out;
  };
  const std::string entry = R"({"cwd_id": 1, "root_id": 2})", second = R"({"cwd_id": 3, "root_id": 4})";
  EXPECT_EQ(images("{\"magic\":\"FS\",\"entries\":[" + entry + "]}"), "=" + fs + ";");
  EXPECT_EQ(images("\xef\xbb\xbf {\"entries\": [ " + entry + " ], \"magic\": \"FS\"} "), "=" + fs + ";");
  EXPECT_EQ(images("{\"entries\": [" + entry + "], \"head\": \"bare\", \"image\": \"fs-1.img\", \"magic\": \"FS\"}"),
            "fs-1.img=" + fs.substr(8) + ";");
  EXPECT_EQ(
      images("{\"magic\": \"FS\", \"other\": {\"a\": [1, \"]\\\"\"]}, \"entries\": [" + entry + "], \"x\": \"\\\\\"}"),
      "=" + fs + ";");
  EXPECT_EQ(images(R"({"magic": "FS", "entries": null})"), "=1943565412394051;");
  EXPECT_EQ(images("{\"image\": \"a\", \"magic\": \"FS\", \"entries\": [" + entry +
                   "]}\n{\"image\": \"b\", \"magic\": \"FS\", \"entries\": [" + entry + "]}"),
            "a=" + fs + ";b=" + fs + ";");
  const auto line = [](std::string_view image, std::string_view index, std::string_view what) {
    return "{\"image\": \"" + std::string{image} + "\", \"magic\": \"FS\", \"index\": " + std::string{index} +
           ", \"entry\": " + std::string{what} + "}\n";
  };
  const std::string two = fs +
                          "04000000"
                          "08031004";
  EXPECT_EQ(images(line("a", "0", entry) + line("a", "1", second)), "a=" + two + ";");
  EXPECT_EQ(images(line("a", "4", entry) + line("a", "9", second)), "a=" + two + ";");
  EXPECT_EQ(images(line("a", "0", entry) + line("a", "0", entry)), "a=" + fs + ";a=" + fs + ";");
  EXPECT_EQ(images(line("a", "0", entry) + line("b", "0", entry)), "a=" + fs + ";b=" + fs + ";");
  EXPECT_EQ(images(line("-", "0", entry)), "=" + fs + ";");
  EXPECT_EQ(images("{\"entry\": " + entry + ", \"image\": \"a\", \"index\": 0, \"magic\": \"FS\"}"), "a=" + fs + ";");
  EXPECT_EQ(
      images(R"({"image": "pages-1.img", "kind": "PAGES", "raw": "AAEC\n"}{"image": "pages-2.img", "size": 4096})"),
      "pages-2.img:4096pages-1.img=000102;");
}

TEST(Encode, Encodings) {
  const std::string json = document("IRMAP_CACHE", R"({"dev": 1, "inode": 2, "path": "x"})");
  const std::string expected = encode(json).images.at(0).second;
  for (const bool little : {false, true})
    for (const std::size_t width : {2u, 4u})
      for (const bool mark : {false, true}) {
        std::string wide;
        const auto put = [&](unsigned unit) {
          for (std::size_t i = 0; i < width; ++i) wide += static_cast<char>(unit >> 8 * (little ? i : width - 1 - i));
        };
        if (mark) put(0xfeff);
        for (const char c : json) put(static_cast<unsigned char>(c));
        for (const std::size_t block : {1, 3, 1000}) {
          const Result result = encode(wide, block);
          EXPECT_EQ(result.error, "");
          EXPECT_EQ(result.images.at(0).second, expected) << little << width << mark;
        }
      }
}

TEST(Encode, BadDocuments) {
  const struct {
    std::string_view json, error;
  } rows[] = {
      {"", "in.json: offset 0: JSON ends early: there is no document"},
      {" \n", "in.json: offset 2: JSON ends early: there is no document"},
      {"{", "in.json: offset 1: JSON ends early: the document does not end"},
      {"[]", "in.json: offset 0: not JSON: a document begins with {\"magic\": ..., \"entries\": [..."},
      {"\x19\x43\x56\x54",
       "in.json: offset 0: the input is not text: JSON is wanted here (an image goes to crit-tojson)"},
      {"{}", "in.json: offset 1: \"magic\" is missing: the kind of the image, as \"CORE\" or \"PAGEMAP\""},
      {R"({"magic": "FS"})", "in.json: offset 14: \"entries\" is missing"},
      {R"({"entries": []})",
       "in.json: offset 14: \"magic\" is missing: the kind of the image, as \"CORE\" or \"PAGEMAP\""},
      {R"({"magic": "FSS", "entries": []})", "in.json: offset 10: \"FSS\" is no kind of image; did you mean \"FS\"?"},
      {R"({"magic": 5, "entries": []})", "in.json: offset 10: \"magic\", \"image\" and \"head\" want texts"},
      {R"({"magic": "FS", "entries": {}})", "in.json: offset 27: \"entries\" wants a list"},
      {R"({"magic": "FS", "entries": [1]})", "in.json: offset 28: entry 0: an entry is an object: {...}"},
      {R"({"magic": "FS", "entries": [],})", "in.json: offset 30: not JSON: a comma is too much before }"},
      {R"({"magic": "FS", "entries": []} x)",
       "in.json: offset 31: not JSON: text follows the document that is no other one"},
      {R"({"magic": "FS", "x": nul, "entries": []})", "in.json: offset 21: not JSON: \"nul\" is no value of JSON"},
      {R"({"magic" "FS"})", "in.json: offset 9: not JSON: a colon is missing after the key"},
      {R"({"magic": "FS" "entries": []})", "in.json: offset 15: not JSON: a comma or } is missing here"},
      {R"({"magic": "FS", "entries": [{"cwd_id": 1, "root_id": 2},]})",
       "in.json: offset 56: entry 1: not JSON: a comma is too much before ]"},
      {R"({"magic": "FS", "entries": [{"cwd_id": 1, "root_id": 2} {}]})",
       "in.json: offset 56: entry 1: not JSON: a comma or ] is missing between entries"},
      {R"({"magic": "FS", "entries": [{"cwd_id": 1, "root_id": 2}, {"cwd_id": 1)",
       "in.json: offset 69: entry 1: JSON ends early: the entry does not end"},
      {R"({"magic": "FS", "entries": [{"cwd_id": 1, "root_id": 2}, )",
       "in.json: offset 57: entry 1: JSON ends early: the list of entries does not end"},
      {R"({"magic": "FS", "entries": [], "error": "cut"})",
       "in.json: the JSON says that its image was incomplete: cut"},
  };
  for (const auto& row : rows) EXPECT_EQ(encode(row.json).error, row.error) << row.json;
}

TEST(Encode, BadEntries) {
  for (std::string_view entry :
       {R"({"cwd_id": 1,, "root_id": 2})", R"({"cwd_id": 1, "root_id": 2,})", R"({"cwd_id" 1, "root_id": 2})",
        R"({"cwd_id": 1 "root_id": 2})", R"({cwd_id: 1, "root_id": 2})", R"({"cwd_id": 1, "root_id": 2])",
        R"({"cwd_id": 1, /* no */ "root_id": 2})", R"({"cwd_id": , "root_id": 2})"}) {
    const std::string error = encode(document("FS", R"({"cwd_id": 1, "root_id": 2}, )" + std::string{entry})).error;
    EXPECT_NE(error.find("entry 1: "), error.npos) << entry << '\n' << error;
    const Result result = encode(document("FS", R"({"cwd_id": 1, "root_id": 2}, )" + std::string{entry}));
    EXPECT_EQ(hex(result.images.at(0).second),
              "1943565412394051"
              "04000000"
              "08011002")
        << entry;
  }
}

// Every beginning of a good document gives the whole entries that it has, and an error.
TEST(Encode, CutAnywhere) {
  const std::string json =
      document("PIPES_DATA", R"({"pipe_id": 1, "bytes": 3, "extra": "YWJj\n"}, {"pipe_id": 2, "bytes": 0})");
  const std::string whole = encode(json).images.at(0).second;
  for (std::size_t size = 0; size + 1 < json.size(); ++size) {
    const Result result = encode(json.substr(0, size));
    EXPECT_EQ(result.error.find("in.json: offset " + std::to_string(size)), 0u) << size << result.error;
    if (!result.images.empty()) {
      EXPECT_TRUE(whole.starts_with(result.images[0].second)) << size;
    }
  }
}

std::string base64_of(std::string_view bytes) {
  Base64Encoder encoder;
  std::string out(Base64Encoder::json_room(bytes.size()), '\0');
  char* end = encoder.finish(encoder.feed(std::as_bytes(std::span{bytes}), out.data()));
  out.resize(static_cast<std::size_t>(end - out.data()));
  return out;
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 2654435761u >> 13);
  return out;
}

TEST(Encode, ExtrasLargerThanWhatIsHeld) {
  const std::string big = pattern(9'000'001), text = base64_of(big), size = std::to_string(big.size());
  const auto check = [&](const std::string& magic, const std::string& entries, const std::string& tail) {
    for (const std::size_t block : {std::size_t{100'000}, std::size_t{262'144}, std::size_t{1} << 30}) {
      const Result result = encode(document(magic, entries), block);
      ASSERT_EQ(result.error, "");
      const std::string& bytes = result.images.at(0).second;
      ASSERT_TRUE(bytes.size() >= tail.size() && bytes.ends_with(tail)) << magic;
      EXPECT_LT(result.largest, 1u << 20);
    }
  };
  const std::string small = "\x04\0\0\0\x08\x02\x10\0"s;
  check("PIPES_DATA",
        "{\"pipe_id\": 1, \"bytes\": " + size + ", \"extra\": \"" + text + "\"}, {\"pipe_id\": 2, \"bytes\": 0}",
        big + small);
  check("GHOST_FILE", "{\"uid\": 0, \"gid\": 0, \"mode\": 0, \"extra\": \"" + text + "\" } ", big);
  std::string tcp = R"({"inq_len": )" + size + R"(, "inq_seq": 0, "outq_len": )" + size +
                    R"(, "outq_seq": 0, "opt_mask": 0, "snd_wscale": 0, "mss_clamp": 0, )";
  check("TCP_STREAM", tcp + "\"extra\": {\"inq\": \"" + text + "\", \"outq\": \"" + text + "\"}}", big + big);
  const std::string small_tcp = R"({"inq_len": 3, "inq_seq": 0, "outq_len": )" + size +
                                R"(, "outq_seq": 0, "opt_mask": 0, "snd_wscale": 0, "mss_clamp": 0, )";
  check("TCP_STREAM", small_tcp + "\"extra\": {\"inq\": \"YWJj\", \"outq\": \"" + text + "\"}}", "abc" + big);
  const std::string reversed =
      R"({"inq_len": )" + size +
      R"(, "inq_seq": 0, "outq_len": 3, "outq_seq": 0, "opt_mask": 0, "snd_wscale": 0, "mss_clamp": 0, )";
  check("TCP_STREAM", reversed + "\"extra\": {\"outq\": \"YWJj\", \"inq\": \"" + text + "\"}}", big + "abc");
}

TEST(Encode, LargeExtrasThatAreWrong) {
  const std::string big = pattern(9'000'000), text = base64_of(big);
  const auto error = [&](std::string_view size, std::string_view tail) {
    return encode(document("PIPES_DATA", "{\"pipe_id\": 1, \"bytes\": " + std::string{size} + ", \"extra\": \"" + text +
                                             std::string{tail}),
                  262'144)
        .error;
  };
  EXPECT_NE(error("9000001", "\"}").find("the extra has 9000000 bytes, and the message says 9000001"),
            std::string::npos);
  EXPECT_NE(error("100", "\"}").find("more bytes than the message says: 100"), std::string::npos);
  EXPECT_NE(error("9000000", "\", \"size\": 1}").find("an extra over 4 MiB must stand last in its entry"),
            std::string::npos);
  EXPECT_NE(error("9000000", "A\"}").find("base64 has 12000001 characters of data, 1 more than a multiple of 4"),
            std::string::npos);
  EXPECT_NE(error("9000001", "\", \"error\": \"cut\"}").find("incomplete: cut"), std::string::npos);
  EXPECT_EQ(error("9000000", "\"}"), "");
}

TEST(Encode, RawImagesInPieces) {
  const std::string big = pattern(3'000'000);
  const Result result = encode("{\"image\": \"pages-1.img\", \"raw\": \"" + base64_of(big) + "\"}\n", 65'536);
  EXPECT_EQ(result.error, "");
  EXPECT_TRUE(result.images.at(0).second == big);
}

TEST(Encode, Limits) {
  Limits limits;
  limits.entry_bytes = 1000;
  limits.waiting_json_bytes = 1000;
  const std::string path(2000, 'x');
  EXPECT_EQ(encode(document("IRMAP_CACHE", R"({"dev": 1, "inode": 2, "path": ")" + path + "\"}"), 100, limits).error,
            "in.json: offset 37: entry 0: the message of an entry is over the limit of 1000 bytes");
  EXPECT_EQ(encode(R"({"entries": [{"path": ")" + path + "\"}], \"magic\": \"IRMAP_CACHE\"}", 100, limits).error,
            "in.json: offset 12: what waits for its \"magic\" is over the limit of 1000 bytes");
  std::string nested = R"({"name": "x"})";
  for (int i = 0; i < max_nesting + 1; ++i) nested = R"({"name": "x", "namespaces": [)" + nested + "]}";
  EXPECT_NE(encode(document("APPARMOR", "{\"namespaces\": [" + nested + "]}"))
                .error.find("messages nest deeper than 64 levels"),
            std::string::npos);
}

TEST(EncodeMessage, OneObject) {
  std::string payload;
  EXPECT_FALSE(encode_message(*find_message("fs_entry"), R"({"cwd_id": 1, "root_id": 2})", payload));
  EXPECT_EQ(hex(payload), "08011002");
  const Error error = encode_message(*find_message("fs_entry"), R"({"cwd_id": 1})", payload);
  EXPECT_EQ(to_string(error), "offset 0: required field root_id of fs_entry is missing");
  EXPECT_TRUE(encode_message(*find_message("fs_entry"), R"({"cwd_id": 1, "root_id": 2} x)", payload));
  EXPECT_TRUE(encode_message(*find_message("fs_entry"), "", payload));
  EXPECT_TRUE(encode_message(*find_message("fs_entry"), "[]", payload));
}

}  // namespace
}  // namespace critpipe
