// Scanning pages without special instructions: the measure for the others.
#define XXH_VECTOR XXH_SCALAR
#include "survey/page_scan.hpp"

namespace critpipe {

namespace {

struct PlainLanes {
  static bool is_zero(const unsigned char* page) {
    for (size_t at = 0; at < page_bytes; at += 64) {
      uint64_t words[8];
      memcpy(words, page + at, sizeof words);
      if ((words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7]) != 0) return false;
    }
    return true;
  }

  static Counts count(const unsigned char* page) {
    Counts counts = {0, 0, 0, 0, 0, 0};
    for (size_t line = 0; line < page_bytes; line += sampled_stride) {
      for (size_t at = line; at < line + 64; ++at) {
        const unsigned byte = page[at];
        counts.zero += byte == 0;
        counts.printable += (byte >= 0x20 && byte < 0x7f) || (byte >= '\t' && byte <= '\r');
        counts.high += byte >= 0x80;
        counts.rex += byte == 0x48;
        counts.move += (byte | 2) == 0x8b;
      }
      for (size_t at = line; at < line + 64; at += 8) {
        uint64_t word;
        memcpy(&word, page + at, 8);
        counts.pointers += (word >> 32) != 0 && (word >> 48) == 0;
      }
    }
    return counts;
  }
};

}  // namespace

void scan_pages_plain(const unsigned char* pages, size_t nr_pages, unsigned char* facts, const unsigned char* secret) {
  scan_with<PlainLanes>(pages, nr_pages, facts, secret);
}

}  // namespace critpipe
