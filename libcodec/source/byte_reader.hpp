// Readers: each gives the bytes of the one below it, looked into, unpacked or bounded.
#pragma once

#include <string_view>
#include <vector>

#include "critpipe/source.hpp"

namespace critpipe {

using Reader = std::unique_ptr<ByteReader>;

// Behind the last byte that is not zero; 0: all are.
std::size_t data_end_in(Bytes bytes);

// Reads a file in large blocks; a regular one up to the size that it had when it was opened. One that ends before has
// changed: an error.
class FileReader final : public ByteReader {
 public:
  // Reads from where the file stands.
  explicit FileReader(InputFile file);
  // Reads a file that stands at its begin.
  static FileReader whole(InputFile file) { return FileReader{0, std::move(file)}; }
  Bytes read() override;
  std::uint64_t skip(std::uint64_t size) override;
  int poll_fd() const override { return is_regular_ ? -1 : file_.fd(); }
  bool is_pipe() const override { return file_.is_pipe(); }
  Plain plain() const override;

  int fd() const { return file_.fd(); }
  const InputFile& file() const { return file_; }
  void taken(std::uint64_t size) { left_ -= size; }                             // by someone else, from its offset on
  std::uint64_t size() const { return is_regular_ ? left_ : Member::unknown; }  // from where it stands

 private:
  FileReader(std::uint64_t at, InputFile file);

  InputFile file_;
  bool is_regular_ = false;
  std::uint64_t left_ = 0;              // of a regular file
  std::unique_ptr<std::byte[]> block_;  // not cleared: it takes longer than a small image
  std::size_t capacity_ = 0;
};

// Lets bytes be looked at before they are read.
class PeekReader final : public ByteReader {
 public:
  explicit PeekReader(Reader below) : below_{std::move(below)} {}
  // At least `size` bytes, or all that are left; they stay to be read.
  Bytes peek(std::size_t size);
  // The next bytes, `most` at most.
  Bytes read_some(std::uint64_t most);
  Bytes read() override { return read_some(Member::unknown); }
  // Reads what it cannot pass over. Fewer than `size`: the end, or a fault.
  std::uint64_t skip(std::uint64_t size) override;
  std::uint64_t packed() const override { return below_->packed(); }
  Plain plain() const override;
  int poll_fd() const override { return ready_.empty() ? below_->poll_fd() : -1; }
  bool is_pipe() const override { return below_->is_pipe(); }
  // That were read or passed over so far; of a compressed input, before it was unpacked.
  std::uint64_t nr_bytes() const { return packed() != Member::unknown ? packed() : nr_bytes_; }

 private:
  bool more();

  Reader below_;
  std::vector<std::byte> held_;  // what peek() had to put together
  Bytes ready_;                  // in held_ or in a block of the reader below
  std::uint64_t nr_bytes_ = 0;
};

// Stops where more than `most` bytes came: limit_size. They are the rest of a limit of `limit` bytes.
class BoundedReader final : public ByteReader {
 public:
  BoundedReader(Reader below, std::uint64_t most, std::string place)
      : BoundedReader{std::move(below), most, std::move(place), most} {}
  BoundedReader(Reader below, std::uint64_t most, std::string place, std::uint64_t limit);
  Bytes read() override;
  std::uint64_t skip(std::uint64_t size) override;
  std::uint64_t packed() const override { return below_->packed(); }
  int poll_fd() const override { return below_->poll_fd(); }
  bool is_pipe() const override { return below_->is_pipe(); }

 private:
  bool count(std::uint64_t size);

  Reader below_;
  std::uint64_t most_, limit_;
  std::uint64_t seen_ = 0;
  std::string place_;
};

}  // namespace critpipe
