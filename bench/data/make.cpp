// bench-data: images of any size by a seeded recipe; the same words give the same bytes on every machine.
//
//     bench-data pagemap ENTRIES FILE        as CRIU 4.2 writes them; one entry in eight lazy, 64-bit addresses
//     bench-data pagemap-4.1 ENTRIES FILE    the same as CRIU 3.5 to 4.1 wrote it, which the peers in Debian know
//     bench-data files ENTRIES FILE          descriptors: files, sockets, pipes
//     bench-data mm MAPPINGS FILE            one entry
//     bench-data extra BYTES FILE            one pipe with that much unread
//     bench-data memory BYTES PID DIR        mm-PID.img, pagemap-PID.img and pages-PID.img: five kinds of pages
//     bench-data fragments BYTES PID DIR     the same in runs of one page or two
//
// It shares no code with the library: a fault in a writer or a reader does not hide in both.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

// splitmix64: small, fast, and every seed is good.
struct Random {
  std::uint64_t state;
  std::uint64_t next() {
    std::uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

class File {
 public:
  explicit File(const std::string& path) : file_{std::fopen(path.c_str(), "wb")} {
    if (!file_) fail(path);
    std::setvbuf(file_, nullptr, _IOFBF, 1 << 20);
  }
  ~File() {
    if (std::fclose(file_) != 0) fail("write");
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void bytes(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) fail("write");
  }
  void word(std::uint32_t word) { bytes({reinterpret_cast<const char*>(&word), 4}); }
  void head(std::uint32_t magic) {
    word(0x54564319);
    word(magic);
  }
  void entry(std::string_view message) {
    word(static_cast<std::uint32_t>(message.size()));
    bytes(message);
  }

 private:
  [[noreturn]] static void fail(const std::string& what) {
    std::perror(what.c_str());
    std::exit(2);
  }
  std::FILE* file_;
};

class Message {
 public:
  Message& number(unsigned field, std::uint64_t value) {
    varint(field << 3);
    varint(value);
    return *this;
  }
  Message& text(unsigned field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(unsigned field, const Message& value) { return text(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }
  void clear() { bytes_.clear(); }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t lowest = 0x7f0000000000;
constexpr std::uint32_t pagemap_magic = 0x56084025;
constexpr std::uint64_t lazy = 2;
constexpr std::uint64_t present = 4;

enum class Release { v4_1, v4_2 };  // where a pagemap has its counts: field 2, or field 5 and a zero in field 2

void put_run(File& file, Message& entry, Release release, std::uint64_t vaddr, std::uint64_t nr_pages,
             std::uint64_t flags) {
  entry.clear();
  if (release == Release::v4_1) entry.number(1, vaddr).number(2, nr_pages).number(4, flags);
  else entry.number(1, vaddr).number(2, 0).number(4, flags).number(5, nr_pages);
  file.entry(entry.bytes());
}

void make_pagemap(std::uint64_t entries, Release release, const std::string& path) {
  File file{path};
  file.head(pagemap_magic);
  Message entry;
  file.entry(entry.number(1, 1).bytes());
  Random random{entries};
  std::uint64_t vaddr = lowest;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::uint64_t dice = random.next();
    // Most runs are one or a few pages, some are long.
    const std::uint64_t nr_pages = dice % 16 == 0 ? 1 + (dice >> 8) % 500 : 1 + (dice >> 8) % 4;
    put_run(file, entry, release, vaddr, nr_pages, (dice >> 4) % 8 == 0 ? present | lazy : present);
    vaddr += (nr_pages + 1 + (dice >> 32) % 4) * page;
  }
}

Message owner() { return Message{}.number(1, 0).number(2, 0).number(3, 0).number(4, 0).number(5, 0); }

Message socket_options() {
  Message options;
  options.number(1, 212992).number(2, 212992);
  for (unsigned field = 3; field <= 6; ++field) options.number(field, 0);
  return options.number(7, 0).number(8, 0).number(9, 1).number(10, 0);
}

void make_files(std::uint64_t entries, const std::string& path) {
  File file{path};
  file.head(0x56303138);
  Random random{entries};
  constexpr const char* folders[] = {"/usr/lib/x86_64-linux-gnu/", "/var/lib/postgresql/15/main/base/16384/",
                                     "/home/user/projects/", "/proc/self/task/", "/tmp/"};
  for (std::uint64_t id = 1; id <= entries; ++id) {
    const std::uint64_t dice = random.next();
    Message inner;
    Message entry;
    switch (dice % 8) {
      case 0:
        inner.number(1, id).number(2, 40000 + id).number(3, 2).number(4, 1).number(5, 6).number(6, 1);
        inner.number(7, 1024 + dice % 50000).number(8, 5432).number(9, 2).number(10, 0);
        inner.number(11, dice >> 32).number(12, 0x0100007f).message(13, owner()).message(14, socket_options());
        entry.number(1, 4).number(2, id).message(4, inner);
        break;
      case 1:
        inner.number(1, id).number(2, id / 2).number(3, id % 2).message(4, owner());
        entry.number(1, 2).number(2, id).message(18, inner);
        break;
      default: {
        const std::string name = std::string{folders[(dice >> 8) % std::size(folders)]} + "relation-" +
                                 std::to_string(dice >> 40) + (dice & 1 ? ".so" : ".dat");
        inner.number(1, id).number(2, 0100002).number(3, dice >> 44).message(5, owner()).text(6, name);
        inner.number(7, 2 * (20 + (dice >> 16) % 9)).number(8, dice >> 40).number(10, 0100644);
        entry.number(1, 1).number(2, id).message(3, inner);
      }
    }
    file.entry(entry.bytes());
  }
}

struct Mapping {
  std::uint64_t start, end;
};

void write_mm(const std::vector<Mapping>& mappings, const std::string& path) {
  File file{path};
  file.head(0x57492820);
  Message mm;
  const std::uint64_t start = mappings.front().start;
  const std::uint64_t bounds[] = {start,       start + 64,  start + 64,  start + 128, mappings.back().end, start + 128,
                                  start + 256, start + 256, start + 300, start + 300, start + 400};
  for (unsigned field = 1; const std::uint64_t bound : bounds) mm.number(field++, bound);
  mm.number(12, 1);
  for (const std::uint64_t word : {std::uint64_t{6}, page, std::uint64_t{0}, std::uint64_t{0}}) mm.number(13, word);
  Random random{mappings.size()};
  for (std::size_t i = 0; i < mappings.size(); ++i) {
    // Anonymous private memory, or a file mapped private.
    const bool file_mapping = random.below(4) == 0;
    Message vma;
    vma.number(1, mappings[i].start).number(2, mappings[i].end).number(3, file_mapping ? random.below(512) * page : 0);
    vma.number(4, file_mapping ? 1 : 0).number(5, 3).number(6, file_mapping ? 2 : 0x22);
    vma.number(7, file_mapping ? 1 | 1 << 6 : 1 | 1 << 9).number(8, 1).number(10, 0);
    mm.message(14, vma);
  }
  mm.number(15, 1);
  file.entry(mm.bytes());
}

void make_mm(std::uint64_t nr_mappings, const std::string& path) {
  Random random{nr_mappings};
  std::vector<Mapping> mappings;
  std::uint64_t at = lowest;
  for (std::uint64_t i = 0; i < nr_mappings; ++i) {
    const std::uint64_t size = (1 + random.below(64)) * page;
    mappings.push_back({at, at + size});
    at += size + (random.below(3)) * page;
  }
  write_mm(mappings, path);
}

void make_extra(std::uint64_t size, const std::string& path) {
  File file{path};
  file.head(0x56453709);
  file.entry(Message{}.number(1, 7).number(2, size).number(3, 1 << 20).bytes());
  Random random{size};
  std::string block(1 << 16, '\0');
  for (std::uint64_t left = size; left > 0;) {
    for (std::size_t i = 0; i < block.size(); i += 8) {
      const std::uint64_t word = random.next();
      std::memcpy(block.data() + i, &word, 8);
    }
    const std::uint64_t piece = std::min<std::uint64_t>(left, block.size());
    file.bytes({block.data(), piece});
    left -= piece;
  }
}

// A fifth each: zeros, pages that stand elsewhere too, text, words that look like addresses, noise.
class Pages {
 public:
  explicit Pages(std::uint64_t seed) : random_{seed} {
    for (std::string& shared : shared_) {
      fill_noise();
      shared = page_;
    }
  }
  const std::string& next(std::uint64_t number) {
    switch (random_.below(5)) {
      case 0: page_.assign(page, '\0'); break;
      case 1: page_ = shared_[random_.below(std::size(shared_))]; break;
      case 2: fill_text(); break;
      case 3: fill_addresses(); break;
      default: fill_noise();
    }
    // What the memory searches look for: one page in 4096.
    if (number % 4096 == 4095) page_.replace(1000, 24, "critpipe needle of pages");
    return page_;
  }

 private:
  void fill_noise() {
    page_.resize(page);
    for (std::size_t i = 0; i < page; i += 8) put(i, random_.next());
  }
  void fill_addresses() {
    page_.resize(page);
    for (std::size_t i = 0; i < page; i += 8)
      put(i, i % 32 == 0 ? random_.below(256) : lowest + random_.below(1ull << 32));
  }
  void fill_text() {
    constexpr std::string_view words[] = {
        "the ", "connection ", "request ", "of ",         "user ",  "failed: ", "GET ",   "/index.html ",
        "in ",  "HTTP/1.1\n",  "was ",     "status=200 ", "while ", "memory ",  "error ", "\n"};
    page_.clear();
    while (page_.size() < page) page_ += words[random_.below(std::size(words))];
    page_.resize(page);
  }
  void put(std::size_t at, std::uint64_t word) { std::memcpy(page_.data() + at, &word, 8); }

  Random random_;
  std::string page_;
  std::string shared_[64];
};

enum class Cut { coarse, fine };  // into runs

void make_memory(std::uint64_t size, Cut cut, const std::string& pid, const std::string& folder) {
  File pagemap{folder + "/pagemap-" + pid + ".img"};
  File pages{folder + "/pages-" + pid + ".img"};
  pagemap.head(pagemap_magic);
  Message entry;
  pagemap.entry(entry.number(1, std::strtoull(pid.c_str(), nullptr, 10)).bytes());
  Random random{size};
  Pages contents{size};
  std::vector<Mapping> mappings;
  std::uint64_t vaddr = lowest;
  std::uint64_t number = 0;
  for (const std::uint64_t nr_pages = size / page; number < nr_pages;) {
    const std::uint64_t wanted =
        cut == Cut::fine ? 1 + (random.below(4) == 0) : 1 + random.below(random.below(8) == 0 ? 64 : 6);
    const std::uint64_t run = std::min(wanted, nr_pages - number);
    if (mappings.empty() || random.below(200) == 0) mappings.push_back({vaddr, vaddr});
    put_run(pagemap, entry, Release::v4_1, vaddr, run, random.below(8) == 0 ? present | lazy : present);
    for (std::uint64_t i = 0; i < run; ++i) pages.bytes(contents.next(number++));
    vaddr += run * page;
    mappings.back().end = vaddr;
    vaddr += (1 + random.below(4)) * page;
  }
  write_mm(mappings, folder + "/mm-" + pid + ".img");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 3 ? argv[1] : "";
  const std::uint64_t size = argc > 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
  if (what == "pagemap") make_pagemap(size, Release::v4_2, argv[3]);
  else if (what == "pagemap-4.1") make_pagemap(size, Release::v4_1, argv[3]);
  else if (what == "files") make_files(size, argv[3]);
  else if (what == "mm" && size > 0) make_mm(size, argv[3]);
  else if (what == "extra") make_extra(size, argv[3]);
  else if (what == "memory" && size >= page && argc > 4) make_memory(size, Cut::coarse, argv[3], argv[4]);
  else if (what == "fragments" && size >= page && argc > 4) make_memory(size, Cut::fine, argv[3], argv[4]);
  else return std::fputs("usage: bench-data KIND SIZE [PID] PLACE (kinds: top of its source)\n", stderr), 2;
  return 0;
}
