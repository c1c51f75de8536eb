// Magic, framing, extras: what a sink is told for images right and wrong.
#include <gtest/gtest.h>

#include "unit/testing.hpp"
#include "fs.pb.h"
#include "ghost-file.pb.h"
#include "ipc-msg.pb.h"
#include "ipc-sem.pb.h"
#include "ipc-shm.pb.h"
#include "pagemap.pb.h"
#include "pipe-data.pb.h"
#include "tcp-stream.pb.h"

namespace critpipe {
namespace {

using namespace testing;

oracle::fs_entry fs(std::uint32_t cwd_id) {
  oracle::fs_entry entry;
  entry.set_cwd_id(cwd_id);
  entry.set_root_id(2);
  return entry;
}

oracle::pipe_data_entry pipe(std::uint32_t bytes) {
  oracle::pipe_data_entry entry;
  entry.set_pipe_id(1);
  entry.set_bytes(bytes);
  return entry;
}

void expect_end(const std::string& text, const std::string& end) { EXPECT_TRUE(text.ends_with(end)) << text; }

TEST(Decoder, EntriesStandWhereTheirSizeBegins) {
  EXPECT_EQ(calls(head("FS") + framed(fs(1)) + framed(fs(300))),
            "begin FS head 1\n"
            "entry 0 at 8 {\"cwd_id\": 1, \"root_id\": 2}\nclose\n"
            "entry 1 at 16 {\"cwd_id\": 300, \"root_id\": 2}\nclose\n"
            "end\n");
}

TEST(Decoder, HeadsOfEveryForm) {
  const std::string magic = word(find_kind("FS")->magic);
  EXPECT_EQ(calls(magic), "begin FS head 0\nend\n");
  EXPECT_EQ(calls(word(common_magic) + magic), "begin FS head 1\nend\n");
  EXPECT_EQ(calls(word(service_magic) + magic), "begin FS head 2\nend\n");
  EXPECT_EQ(calls(head("INVENTORY")), "begin INVENTORY head 0\nend\n");
  EXPECT_EQ(calls(head("STATS")), "begin STATS head 2\nend\n");
}

TEST(Decoder, AnUnknownMagicIsNamedWhereItStands) {
  EXPECT_EQ(calls(word(7)).substr(0, 40), "fail -: offset 0: unknown magic 0x7: not");
  EXPECT_EQ(calls(word(common_magic) + word(7)).substr(0, 40), "fail -: offset 4: unknown magic 0x7: not");
  EXPECT_EQ(calls(word(common_magic) + word(common_magic)).substr(0, 42), "fail -: offset 4: unknown magic 0x54564319");
}

TEST(Decoder, ACutMagic) {
  for (const std::size_t size : {0, 1, 2, 3})
    EXPECT_EQ(calls(head("FS").substr(0, size)),
              "fail -: offset 0: magic cut short: need 4 bytes, have " + std::to_string(size) + "\n");
  for (const std::size_t size : {4, 5, 6, 7})
    EXPECT_EQ(calls(head("FS").substr(0, size)),
              "fail -: offset 4: magic cut short: need 4 bytes, have " + std::to_string(size - 4) + "\n");
}

TEST(Decoder, TheNameTellsKindsApartThatShareAMagic) {
  EXPECT_EQ(calls(head("PAGEMAP")), "begin PAGEMAP head 1\nend\n");
  EXPECT_EQ(calls(head("PAGEMAP"), "pagemap-shmem-7.img"), "begin SHMEM_PAGEMAP head 1\nend\n");
  EXPECT_EQ(calls(head("SIGNAL"), "c.tar:checkpoint/signal-p-1.img"), "begin PSIGNAL head 1\nend\n");
  // A name that lies is no reason to misread what is there.
  EXPECT_EQ(calls(head("FS"), "core-1.img"), "begin FS head 1\nend\n");
}

TEST(Decoder, RawImagesAreKnownByName) {
  EXPECT_EQ(calls("", "pages-1.img"), "begin PAGES head 3\nend\n");
  EXPECT_EQ(calls("abc", "pages-1.img"), "begin PAGES head 3\nraw abc\nend\n");
  const std::string looks_like_an_image = head("FS") + framed(fs(1));
  EXPECT_EQ(calls(looks_like_an_image, "pages-1.img").substr(0, 24), "begin PAGES head 3\nraw \x19");
}

TEST(Decoder, TheFirstEntryMayBeOfAnotherMessage) {
  oracle::pagemap_head pagemap;
  pagemap.set_pages_id(3);
  oracle::pagemap_entry run;
  run.set_vaddr(4096);
  run.set_compat_nr_pages(1);
  EXPECT_EQ(calls(head("PAGEMAP") + framed(pagemap) + framed(run)),
            "begin PAGEMAP head 1\n"
            "entry 0 at 8 {\"pages_id\": 3}\nclose\n"
            "entry 1 at 14 {\"vaddr\": 4096, \"compat_nr_pages\": 1}\nclose\n"
            "end\n");
}

TEST(Decoder, AnEmptyMessageIsAnEntry) {
  EXPECT_EQ(calls(head("SECCOMP") + word(0) + word(0)),
            "begin SECCOMP head 1\nentry 0 at 8 {}\nclose\nentry 1 at 12 {}\nclose\nend\n");
}

TEST(Decoder, CutSizesAndPayloads) {
  const std::string image = head("FS") + framed(fs(1));
  EXPECT_EQ(calls(image + "ab"), calls(image).substr(0, calls(image).size() - 4) +
                                     "fail -: offset 16: entry 1: size of entry cut short: need 4 bytes, have 2\n");
  EXPECT_EQ(calls(image.substr(0, image.size() - 1)),
            "begin FS head 1\nfail -: offset 12: entry 0: payload cut short: need 4 bytes, have 3\n");
  EXPECT_EQ(calls(head("FS") + word(5)),
            "begin FS head 1\nfail -: offset 12: entry 0: payload cut short: need 5 bytes, have 0\n");
}

TEST(Decoder, ASizeIsAClaim) {
  Limits limits;
  limits.entry_bytes = 100;
  EXPECT_EQ(calls(head("FS") + word(101), "-", limits),
            "begin FS head 1\nfail -: offset 8: entry 0: payload of 101 bytes is over the limit of 100 "
            "(--max-entry raises it)\n");
  EXPECT_EQ(calls(head("FS") + word(100), "-", limits).substr(16, 50),
            "fail -: offset 12: entry 0: payload cut short: nee");
  EXPECT_EQ(calls(head("FS") + word(0xffffffff)).substr(16, 62),
            "fail -: offset 8: entry 0: payload of 4294967295 bytes is over");
}

TEST(Decoder, AFaultInAMessageIsNamedByItsByte) {
  expect_end(calls(head("FS") + framed(fs(1)) + framed(hex("08 01"))),
             "fail -: offset 20: entry 1: required field root_id is missing\n");
  EXPECT_EQ(
      calls(head("FS") + framed(hex("08 01 10 80"))),
      "begin FS head 1\nfail -: offset 15: entry 0: varint is longer than 10 bytes or does not end in the message\n");
}

TEST(Decoder, BytesAfterAnEntry) {
  EXPECT_EQ(calls(head("PIPES_DATA") + framed(pipe(3)) + "abc" + framed(pipe(0)) + framed(pipe(1)) + "d"),
            "begin PIPES_DATA head 1\n"
            "entry 0 at 8 {\"pipe_id\": 1, \"bytes\": 3}\npart  3\nbytes abc\nclose\n"
            "entry 1 at 19 {\"pipe_id\": 1, \"bytes\": 0}\npart  0\nclose\n"
            "entry 2 at 27 {\"pipe_id\": 1, \"bytes\": 1}\npart  1\nbytes d\nclose\n"
            "end\n");
  expect_end(calls(head("PIPES_DATA") + framed(pipe(3)) + "ab"),
             "bytes ab\nfail -: offset 18: entry 0: extra cut short: need 1 bytes, have 0\n");
}

TEST(Decoder, TwoPartsWithNames) {
  oracle::tcp_stream_entry stream;
  stream.set_inq_len(2);
  stream.set_inq_seq(0);
  stream.set_outq_len(3);
  stream.set_outq_seq(0);
  stream.set_opt_mask(0);
  stream.set_snd_wscale(0);
  stream.set_mss_clamp(0);
  const std::string image = head("TCP_STREAM") + framed(stream) + "inout";
  expect_end(calls(image), "\npart inq 2\nbytes in\npart outq 3\nbytes out\nclose\nend\n");
  expect_end(calls(image.substr(0, image.size() - 3)),
             "\npart outq 3\nfail -: offset 28: entry 0: extra cut short: need 3 bytes, have 0\n");
}

oracle::ipc_desc_entry desc() {
  oracle::ipc_desc_entry entry;
  entry.set_key(1);
  entry.set_uid(0);
  entry.set_gid(0);
  entry.set_cuid(0);
  entry.set_cgid(0);
  entry.set_mode(0600);
  entry.set_id(5);
  return entry;
}

std::string after_entry(const std::string& text) { return text.substr(text.find("\npart") + 1); }

TEST(Decoder, UnitsArePadded) {
  oracle::ipc_sem_entry sem;
  *sem.mutable_desc() = desc();
  sem.set_nsems(1);
  EXPECT_EQ(after_entry(calls(head("IPCNS_SEM") + framed(sem) + "ab" + std::string(6, '\0'))),
            "part  2\nbytes ab\npadding 000000\nclose\nend\n");
  expect_end(calls(head("IPCNS_SEM") + framed(sem) + "ab000"), "extra cut short: need 6 bytes, have 3\n");
  sem.set_nsems(4);
  EXPECT_EQ(after_entry(calls(head("IPCNS_SEM") + framed(sem) + "12345678")), "part  8\nbytes 12345678\nclose\nend\n");
  sem.set_nsems(0);
  EXPECT_EQ(after_entry(calls(head("IPCNS_SEM") + framed(sem))), "part  0\nclose\nend\n");
}

TEST(Decoder, SharedMemoryIsThereOnlyWithoutPagemaps) {
  oracle::ipc_shm_entry shm;
  *shm.mutable_desc() = desc();
  shm.set_size(5);
  EXPECT_EQ(after_entry(calls(head("IPCNS_SHM") + framed(shm) + "hello" + std::string(3, '\0'))),
            "part  5\nbytes hello\npadding 000\nclose\nend\n");
  shm.set_in_pagemaps(true);
  const std::string two = after_entry(calls(head("IPCNS_SHM") + framed(shm) + framed(shm)));
  EXPECT_EQ(two.substr(0, 21), "part  0\nclose\nentry 1");
}

TEST(Decoder, MessagesInAnExtra) {
  oracle::ipc_msg_entry queue;
  *queue.mutable_desc() = desc();
  queue.set_qbytes(100);
  queue.set_qnum(2);
  oracle::ipc_msg message;
  message.set_mtype(7);
  message.set_msize(3);
  oracle::ipc_msg empty;
  empty.set_mtype(8);
  empty.set_msize(0);
  const std::string image = head("IPCNS_MSG") + framed(queue) + framed(message) + "abc" + std::string(5, '\0');
  EXPECT_EQ(after_entry(calls(image + framed(empty))),
            "part  3 {\"mtype\": 7, \"msize\": 3}\nbytes abc\npadding 00000\n"
            "part  0 {\"mtype\": 8, \"msize\": 0}\nclose\nend\n");
  expect_end(calls(image), "entry 0: size of entry cut short: need 4 bytes, have 0\n");
  expect_end(calls(image + framed(hex("08"))),
             "fail -: offset 54: entry 0: varint is longer than 10 bytes or does not end in the message\n");
  queue.set_qnum(0);
  const std::string none = calls(head("IPCNS_MSG") + framed(queue));
  expect_end(none, "close\nend\n");
  EXPECT_EQ(none.find("part"), none.npos);
}

oracle::ghost_file_entry ghost(bool chunks) {
  oracle::ghost_file_entry file;
  file.set_uid(0);
  file.set_gid(0);
  file.set_mode(0100600);
  if (chunks) file.set_chunks(true);
  return file;
}

TEST(Decoder, AGhostFileIsTheRest) {
  EXPECT_EQ(after_entry(calls(head("GHOST_FILE") + framed(ghost(false)) + "content")),
            "part  rest\nbytes content\nclose\nend\n");
  EXPECT_EQ(after_entry(calls(head("GHOST_FILE") + framed(ghost(false)))), "part  rest\nclose\nend\n");
}

TEST(Decoder, AGhostFileInChunks) {
  oracle::ghost_chunk_entry chunk;
  chunk.set_len(3);
  chunk.set_off(4096);
  const std::string image = head("GHOST_FILE") + framed(ghost(true)) + framed(chunk) + "abc" + framed(chunk) + "def";
  EXPECT_EQ(calls(image).substr(calls(image).find("close")),
            "close\nentry 1 at 22 {\"len\": 3, \"off\": 4096}\npart  3\nbytes abc\nclose\n"
            "entry 2 at 34 {\"len\": 3, \"off\": 4096}\npart  3\nbytes def\nclose\nend\n");
}

TEST(Decoder, TheLargestLengths) {
  oracle::ghost_chunk_entry chunk;
  chunk.set_len(~0ull - 1);
  chunk.set_off(0);
  const std::string image = head("GHOST_FILE") + framed(ghost(true));
  expect_end(calls(image + framed(chunk) + "abc"),
             "bytes abc\nfail -: offset 42: entry 1: extra cut short: need 18446744073709551611 bytes, have 0\n");
  // Would be the rest of the file, if it were taken as it stands.
  chunk.set_len(~0ull);
  expect_end(calls(image + framed(chunk) + "abc"), "fail -: offset 39: entry 1: lengths of the extra overflow: len\n");
}

// A sink that stops at its n-th call gets no other, and the decoder says so at once.
TEST(Decoder, ASinkMayStopAtAnyCall) {
  class Stopper final : public Sink {
   public:
    explicit Stopper(int after) : left_{after} {}
    Step begin(const Image&) override { return step(); }
    Step entry(const Entry&) override { return step(); }
    Step part(const ExtraPart&) override { return step(); }
    Step bytes(Bytes) override { return step(); }
    Step padding(Bytes) override { return step(); }
    Step close() override { return step(); }
    Step end() override { return step(); }
    void fail(const Error&) override { ADD_FAILURE() << "stopping is no fault"; }
    bool stopped = false;

   private:
    Step step() {
      EXPECT_FALSE(stopped);
      stopped = --left_ == 0;
      return stopped ? Step::stop : Step::go;
    }
    int left_;
  };
  oracle::ipc_sem_entry sem;
  *sem.mutable_desc() = desc();
  sem.set_nsems(1);
  const std::string image = head("IPCNS_SEM") + framed(sem) + "ab" + std::string(6, '\0');
  const int nr_calls = 7;  // begin, entry, part, bytes, padding, close, end
  for (int after = 1; after <= nr_calls; ++after) {
    Stopper stopper{after};
    Decoder decoder{stopper, "-"};
    Step step = decoder.feed(view(image));
    if (step == Step::go) step = decoder.finish();
    EXPECT_EQ(step, Step::stop);
    EXPECT_TRUE(stopper.stopped);
    EXPECT_FALSE(decoder.error());
    EXPECT_EQ(decoder.feed(view(image)), Step::stop);
    EXPECT_EQ(decoder.finish(), Step::stop);
  }
}

TEST(Decoder, SaysHowFarItCame) {
  Recorder recorder;
  Decoder decoder{recorder, "fs-1.img"};
  const std::string image = head("FS") + framed(fs(1));
  ASSERT_EQ(decoder.feed(view(image)), Step::go);
  EXPECT_EQ(decoder.nr_entries(), 1u);
  EXPECT_EQ(decoder.offset(), image.size());
  EXPECT_EQ(decoder.image().kind, find_kind("FS"));
  EXPECT_EQ(decoder.finish(), Step::go);
}

}  // namespace
}  // namespace critpipe
