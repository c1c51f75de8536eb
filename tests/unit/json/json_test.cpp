// Documents and lines: what stands around entries, what follows them, and how a fault looks.
#include <gtest/gtest.h>
#include <simdjson.h>

#include "unit/testing.hpp"
#include "fs.pb.h"
#include "ghost-file.pb.h"
#include "ipc-msg.pb.h"
#include "ipc-sem.pb.h"
#include "pipe-data.pb.h"
#include "regfile.pb.h"
#include "tcp-stream.pb.h"

namespace critpipe {
namespace {

using namespace testing;
using Form = JsonOptions::Form;

const std::string fs_payload = hex("08 01 10 02");
const std::string fs_image = head("FS") + framed(fs_payload);
constexpr std::string_view fs_json = "{\"cwd_id\": 1, \"root_id\": 2}";

std::string pipe_entry(std::size_t bytes) {
  oracle::pipe_data_entry entry;
  entry.set_pipe_id(1);
  entry.set_bytes(static_cast<std::uint32_t>(bytes));
  return framed(entry);
}

void expect_end(const std::string& text, const std::string& end) {
  EXPECT_TRUE(text.ends_with(end)) << text.substr(text.size() - std::min<std::size_t>(text.size(), 500));
}

void expect_json(std::string_view text) {
  simdjson::dom::parser parser;
  EXPECT_EQ(parser.parse(text.data(), text.size()).error(), simdjson::SUCCESS) << text.substr(0, 500);
}

TEST(Json, Forms) {
  EXPECT_EQ(json(fs_image), "{\"magic\": \"FS\", \"entries\": [" + std::string{fs_json} + "]}\n");
  EXPECT_EQ(json(fs_image, {.newline = false}), "{\"magic\": \"FS\", \"entries\": [" + std::string{fs_json} + "]}");
  EXPECT_EQ(json(fs_image, {.form = Form::named_document}, "fs-1.img"),
            "{\"image\": \"fs-1.img\", \"magic\": \"FS\", \"entries\": [" + std::string{fs_json} + "]}\n");
  EXPECT_EQ(json(fs_image + framed(fs_payload), {.form = Form::lines}),
            "{\"image\": \"-\", \"magic\": \"FS\", \"index\": 0, \"entry\": " + std::string{fs_json} + "}\n" +
                "{\"image\": \"-\", \"magic\": \"FS\", \"index\": 1, \"entry\": " + std::string{fs_json} + "}\n");
  EXPECT_EQ(json(fs_image, {.pretty = true}),
            "{\n    \"magic\": \"FS\",\n    \"entries\": [\n        {\n"
            "            \"cwd_id\": 1,\n            \"root_id\": 2\n        }\n    ]\n}\n");
}

TEST(Json, NoEntries) {
  EXPECT_EQ(json(head("FS")), "{\"magic\": \"FS\", \"entries\": []}\n");
  EXPECT_EQ(json(head("FS"), {.pretty = true}), "{\n    \"magic\": \"FS\",\n    \"entries\": []\n}\n");
  EXPECT_EQ(json(head("FS"), {.form = Form::lines}, "fs-1.img"),
            "{\"image\": \"fs-1.img\", \"magic\": \"FS\", \"entries\": []}\n");
}

TEST(Json, NamesAreText) {
  EXPECT_EQ(json(head("FS"), {.form = Form::named_document}, "a\"\n\xff"),
            "{\"image\": {\"base64\": \"YSIK/w==\\n\"}, \"magic\": \"FS\", \"entries\": []}\n");
  EXPECT_EQ(json(head("FS"), {.form = Form::named_document}, "a\"\n"),
            "{\"image\": \"a\\\"\\n\", \"magic\": \"FS\", \"entries\": []}\n");
}

TEST(Json, AnUnusualHeadIsNamed) {
  const std::string magic = word(find_kind("FS")->magic);
  EXPECT_EQ(json(magic), "{\"magic\": \"FS\", \"head\": \"bare\", \"entries\": []}\n");
  EXPECT_EQ(json(word(service_magic) + magic), "{\"magic\": \"FS\", \"head\": \"service\", \"entries\": []}\n");
  EXPECT_EQ(json(magic, {.wire = false}), "{\"magic\": \"FS\", \"entries\": []}\n");
  EXPECT_EQ(json(magic + framed(fs_payload), {.form = Form::lines}),
            "{\"image\": \"-\", \"magic\": \"FS\", \"head\": \"bare\", \"index\": 0, \"entry\": " +
                std::string{fs_json} + "}\n");
}

TEST(Json, SharedMagicsHaveOneName) {
  EXPECT_EQ(json(head("PAGEMAP"), {}, "pagemap-shmem-1.img"), "{\"magic\": \"PAGEMAP\", \"entries\": []}\n");
}

TEST(Json, UnknownFieldsComeLast) {
  const std::string payload =
      fs_payload + hex("f801 96 01 fd01 01000000 f901 ffffffffffffffff fa01 03 616263 fb01 08 01 fc01");
  EXPECT_EQ(json(head("FS") + framed(payload)),
            "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"root_id\": 2, \"_unknown\": [{\"field\": 31, "
            "\"varint\": 150}, "
            "{\"field\": 31, \"fixed32\": 1}, {\"field\": 31, \"fixed64\": 18446744073709551615}, "
            "{\"field\": 31, \"bytes\": \"YWJj\\n\"}, {\"field\": 31, \"group\": \"CAE=\\n\"}]}]}\n");
  expect_json(json(head("FS") + framed(payload), {.pretty = true}));
}

TEST(Json, WhatIsNotWrittenAsCriuWouldKeepsItsBytes) {
  EXPECT_EQ(json(head("FS") + framed(hex("10 02 08 01"))),
            "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"root_id\": 2, \"_wire\": \"EAIIAQ==\\n\"}]}\n");
  EXPECT_EQ(json(head("FS") + framed(hex("10 02 08 01")), {.wire = false}),
            "{\"magic\": \"FS\", \"entries\": [{\"cwd_id\": 1, \"root_id\": 2}]}\n");
}

TEST(Json, ExtrasOfEveryShape) {
  EXPECT_EQ(json(head("PIPES_DATA") + pipe_entry(3) + "abc" + pipe_entry(0)),
            "{\"magic\": \"PIPES_DATA\", \"entries\": [{\"pipe_id\": 1, \"bytes\": 3, \"extra\": \"YWJj\\n\"}, "
            "{\"pipe_id\": 1, \"bytes\": 0, \"extra\": \"\"}]}\n");

  oracle::ipc_sem_entry sem;
  *sem.mutable_desc() = oracle::ipc_desc_entry{};
  sem.set_nsems(3);
  // A desc without its fields is refused; here only what follows the message matters.
  for (int number = 1; number <= 7; ++number)
    sem.mutable_desc()->GetReflection()->SetUInt32(sem.mutable_desc(),
                                                   sem.desc().GetDescriptor()->FindFieldByNumber(number), 0);
  expect_end(json(head("IPCNS_SEM") + framed(sem) + hex("0100 ffff 0001 0000")),
             "\"nsems\": 3, \"extra\": [1, 65535, 256]}]}\n");
  // Padding that is not zero is kept.
  expect_end(json(head("IPCNS_SEM") + framed(sem) + hex("0100 ffff 0001 0700")),
             "\"nsems\": 3, \"extra\": [1, 65535, 256, 7]}]}\n");
  sem.set_nsems(0);
  expect_end(json(head("IPCNS_SEM") + framed(sem)), "\"nsems\": 0, \"extra\": []}]}\n");

  oracle::ipc_msg_entry queue;
  *queue.mutable_desc() = sem.desc();
  queue.set_qbytes(1);
  queue.set_qnum(1);
  oracle::ipc_msg message;
  message.set_mtype(5);
  message.set_msize(2);
  const std::string messages = head("IPCNS_MSG") + framed(queue) + framed(message) + "hi" + std::string(6, '\0');
  expect_end(json(messages), "\"extra\": [{\"mtype\": 5, \"msize\": 2}, \"aGk=\\n\"]}]}\n");
  expect_end(json(messages, {.payload = false}), "\"extra\": \"... <6B>\"}]}\n");
}

TEST(Json, NamedPartsAreAnObject) {
  oracle::tcp_stream_entry stream;
  for (int i = 0; i < stream.GetDescriptor()->field_count(); ++i)
    if (stream.GetDescriptor()->field(i)->is_required())
      stream.GetReflection()->SetUInt32(&stream, stream.GetDescriptor()->field(i), 0);
  expect_end(json(head("TCP_STREAM") + framed(stream)), "\"extra\": {\"inq\": \"\", \"outq\": \"\"}}]}\n");
  stream.set_inq_len(1);
  stream.set_outq_len(2);
  expect_end(json(head("TCP_STREAM") + framed(stream) + "abb"),
             "\"extra\": {\"inq\": \"YQ==\\n\", \"outq\": \"YmI=\\n\"}}]}\n");
  expect_end(json(head("TCP_STREAM") + framed(stream) + "abb", {.payload = false}), "\"extra\": \"... <3B>\"}]}\n");
}

TEST(Json, SizesOfExtrasAsPeopleReadThem) {
  const struct {
    std::size_t bytes;
    const char* text;
  } rows[] = {{0, "0B"},       {5, "5B"},       {1023, "1023B"},       {1024, "1KB"},    {1025, "1.0KB"},
              {1500, "1.5KB"}, {65536, "64KB"}, {1048575, "1024.0KB"}, {1048576, "1MB"}, {1572864, "1.5MB"}};
  for (const auto& row : rows)
    expect_end(json(head("PIPES_DATA") + pipe_entry(row.bytes) + std::string(row.bytes, 'x'), {.payload = false}),
               std::string{"\"extra\": \"... <"} + row.text + ">\"}]}\n");
}

TEST(Json, RawImages) {
  EXPECT_EQ(json("abc", {}, "pages-1.img"), "{\"kind\": \"PAGES\", \"size\": 3}\n");
  EXPECT_EQ(json("", {.form = Form::lines}, "pages-1.img"),
            "{\"image\": \"pages-1.img\", \"kind\": \"PAGES\", \"size\": 0}\n");
  for (const std::size_t piece : {0, 1, 2, 3, 4})
    EXPECT_EQ(json("abcd", {.raw = true}, "pages-1.img", piece), "{\"kind\": \"PAGES\", \"raw\": \"YWJjZA==\\n\"}\n");
}

TEST(Json, AFaultClosesTheDocument) {
  const std::string image = fs_image + word(99);
  const std::string error = "\"error\": \"offset 20: entry 1: payload cut short: need 99 bytes, have 0\"}\n";
  EXPECT_EQ(json(image), "{\"magic\": \"FS\", \"entries\": [" + std::string{fs_json} + "], " + error);
  EXPECT_EQ(json(image, {.form = Form::lines}, "fs-1.img"),
            "{\"image\": \"fs-1.img\", \"magic\": \"FS\", \"index\": 0, \"entry\": " + std::string{fs_json} + "}\n" +
                "{\"image\": \"fs-1.img\", \"magic\": \"FS\", " + error);
  expect_end(json(image, {.pretty = true}),
             "        }\n    ],\n    \"error\": \"offset 20: entry 1: "
             "payload cut short: need 99 bytes, have 0\"\n}\n");
}

TEST(Json, AFaultBeforeTheMagicBeginsNoDocument) {
  EXPECT_EQ(json("abc"), "");
  EXPECT_EQ(json("", {.pretty = true}), "");
  EXPECT_EQ(json("abcd", {.form = Form::lines}, "x.img").substr(0, 60),
            "{\"image\": \"x.img\", \"error\": \"offset 0: unknown magic 0x64636");
}

TEST(Json, AnEntryWithoutItsExtraIsTakenBack) {
  EXPECT_EQ(json(head("PIPES_DATA") + pipe_entry(0) + pipe_entry(3) + "ab"),
            "{\"magic\": \"PIPES_DATA\", \"entries\": [{\"pipe_id\": 1, \"bytes\": 0, \"extra\": \"\"}], "
            "\"error\": \"offset 26: entry 1: extra cut short: need 1 bytes, have 0\"}\n");
}

// What has been written of it cannot be taken back, but is closed and marked; whatever the form.
TEST(Json, AFaultInALongExtraIsMarkedInItsEntry) {
  const std::size_t claimed = 3 * held_output_bytes;
  const std::string image = head("PIPES_DATA") + pipe_entry(claimed) + std::string(claimed - 1, 'x');
  for (const bool pretty : {false, true})
    for (const Form form : {Form::document, Form::lines}) {
      const std::string text = json(image, {.form = form, .pretty = pretty});
      expect_json(text);
      EXPECT_NE(text.find("\"error\": \"offset 3145746: entry 0: extra cut short: need 1 bytes, have 0\""), text.npos);
    }
}

// The same where the message itself is too long to be taken back.
TEST(Json, AFaultAfterALongMessage) {
  oracle::pipe_data_entry entry;
  entry.set_pipe_id(1);
  entry.set_bytes(9);
  std::string payload = entry.SerializeAsString() + hex("fa01");
  append_varint(payload, 2 * held_output_bytes);
  payload += std::string(2 * held_output_bytes, 'x');
  for (const bool pretty : {false, true})
    for (const bool with_payload : {false, true})
      for (const Form form : {Form::document, Form::lines})
        for (const char* extra : {"", "abc"}) {
          const std::string text = json(head("PIPES_DATA") + framed(payload) + extra,
                                        {.form = form, .pretty = pretty, .payload = with_payload});
          expect_json(text);
        }
}

TEST(Json, TextsThatAreNoUtf8) {
  oracle::reg_file_entry file;
  for (const char* name : {"id", "flags", "pos"}) {
    const auto* field = file.GetDescriptor()->FindFieldByName(name);
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_UINT32)
      file.GetReflection()->SetUInt32(&file, field, 1);
    else file.GetReflection()->SetUInt64(&file, field, 1);
  }
  for (const char* name : {"uid", "euid", "signum", "pid_type", "pid"})
    file.mutable_fown()->GetReflection()->SetUInt32(file.mutable_fown(),
                                                    file.fown().GetDescriptor()->FindFieldByName(name), 0);
  file.set_name("/a\xff");
  expect_end(json(head("REG_FILES") + framed(file)), "\"name\": {\"base64\": \"L2H/\\n\"}}]}\n");
  file.set_name("/é\"\\");
  expect_end(json(head("REG_FILES") + framed(file)), "\"name\": \"/\\u00e9\\\"\\\\\"}]}\n");
}

}  // namespace
}  // namespace critpipe
