// Errors as people read them.
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "critpipe/error.hpp"

namespace critpipe {
namespace {

constexpr Reason all_reasons[] = {
#define X(reason, fault, sentence) Reason::reason,
    CRITPIPE_REASONS(X)
#undef X
};

TEST(Error, OneLineWithThePlace) {
  EXPECT_EQ(to_string({Reason::cut_payload, "fs-12.img", 12, 0, 4, 2, ""}),
            "fs-12.img: offset 12: entry 0: payload cut short: need 4 bytes, have 2");
  EXPECT_EQ(to_string({Reason::cut_magic, "", 0, Error::nowhere, 4, 2, ""}),
            "offset 0: magic cut short: need 4 bytes, have 2");
  EXPECT_EQ(to_string({Reason::bad_missing, "a.tar:b.img", 7, 3, 0, 0, "vaddr"}),
            "a.tar:b.img: offset 7: entry 3: required field vaddr is missing");
  EXPECT_EQ(to_string({Reason::bad_magic, "x", 0, Error::nowhere, 0, 0xdeadbeefull, ""}),
            "x: offset 0: unknown magic 0xdeadbeef: not a CRIU image");
}

TEST(Error, NamesCannotMoveTheCursor) {
  EXPECT_EQ(to_string({Reason::io_open, "a\nb\x1b[2J\x7f", Error::nowhere, Error::nowhere, 0, 0, "x\ty"}),
            "a\\x0ab\\x1b[2J\\x7f: cannot open: x\\x09y");
}

TEST(Error, SystemErrorsSayWhatTheSystemSaid) {
  EXPECT_EQ(to_string(system_error(Reason::io_open, "f", ENOENT)), "f: cannot open: No such file or directory");
}

TEST(Error, EveryReasonHasARow) {
  std::set<std::string_view> names, sentences;
  for (const Reason reason : all_reasons) {
    SCOPED_TRACE(name_of(reason));
    EXPECT_TRUE(names.insert(name_of(reason)).second);
    if (sentence_of(reason) != "{name}") {
      EXPECT_TRUE(sentences.insert(sentence_of(reason)).second);
    }
    Error error{reason, "image", 1, 2, 3, 4, "name"};
    EXPECT_TRUE(error);
    const std::string line = to_string(error);
    EXPECT_TRUE(line.starts_with("image: offset 1: entry 2: "));
    EXPECT_EQ(line.find_first_of("{}\n"), line.npos) << line;
  }
  EXPECT_FALSE(Error{});
}

// What a person does about it follows from the name: copy again, raise a limit, look at the system.
TEST(Error, NamesTellTheFault) {
  for (const Reason reason : all_reasons) {
    const std::string_view name = name_of(reason);
    SCOPED_TRACE(name);
    if (name.starts_with("cut_")) {
      EXPECT_EQ(fault_of(reason), Fault::data);
    }
    if (name.starts_with("io_")) {
      EXPECT_EQ(fault_of(reason), Fault::io);
    }
    EXPECT_EQ(name.starts_with("limit_"), fault_of(reason) == Fault::limit);
  }
}

TEST(Visible, EscapesWhatMovesTheCursor) {
  EXPECT_EQ(visible("caf\xc3\xa9 \\ a\nb\tc"), "caf\xc3\xa9 \\ a\\x0ab\\x09c");
  EXPECT_EQ(visible("\xc2\x9b"
                    "31m \xc2\xa0"),
            "\\xc2\\x9b31m \xc2\xa0");  // C1's CSI, and the first that is none
  EXPECT_EQ(visible("\x9b\xff"), "\\x9b\\xff");
  EXPECT_EQ(visible("a\\\n\t\x1b\xc2\x80\xc3\xa9", Escape::text), "a\\\\\\n\\t\\x1b\\xc2\\x80\xc3\xa9");
  EXPECT_EQ(visible("a\\\n\xc3\xa9", Escape::bytes), "a\\\\\\x0a\\xc3\\xa9");
}

}  // namespace
}  // namespace critpipe
