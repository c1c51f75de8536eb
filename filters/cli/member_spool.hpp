// Members of an archive that must wait: until their size is known, or for their place in it.
//
// What waits is held in memory, up to held_bytes for all of it, and beyond that in a file without a name, which is gone
// when the program ends, however it does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "critpipe/image_writer.hpp"
#include "critpipe/output.hpp"

namespace critpipe::filters {

// For what need not outlive the program: $TMPDIR or /var/tmp.
std::string temporary_directory();

class Spool {
 public:
  static constexpr std::size_t held_bytes = 4 << 20;

  // One member.
  struct Held {
    std::string memory;  // what comes first, and waits in memory
    struct Piece {
      std::uint64_t offset, size;  // in the file
    };
    std::vector<Piece> pieces;
    std::uint64_t size = 0;
  };

  // The file is made in that directory; where it is empty, or no file can be made there, in $TMPDIR or /var/tmp.
  // `beside`: what lies in the directory and needs room there, too; it is named where there is none.
  explicit Spool(std::string directory, std::string beside = "")
      : directory_{std::move(directory)}, beside_{std::move(beside)} {}
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;
  ~Spool();

  // Reasons: io_write.
  [[nodiscard]] Error append(Held& held, Bytes bytes);
  // Writes the member as the next one. Reasons: io_read; then it is not complete.
  [[nodiscard]] Error write(const Held& held, const std::string& name, TarWriter& archive);
  void forget(const Held& held) { used_ -= held.memory.size(); }
  void clear();  // nothing is held any more

 private:
  Error open();
  Error append_to_file(Held& held, Bytes bytes);
  std::string unnamed_file() const;  // for messages

  std::string directory_, beside_;
  std::size_t used_ = 0;  // memory of all members
  int fd_ = -1;
  std::uint64_t end_ = 0;  // of the file
};

}  // namespace critpipe::filters
