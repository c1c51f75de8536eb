#include "stream/held_images.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "critpipe/image_writer.hpp"
#include "critpipe/output.hpp"
#include "stream/sigpipe_guard.hpp"

namespace critpipe {

namespace {

constexpr std::uint64_t first_block = 4 << 10;  // of an image; a page, so that memory can be given back
constexpr std::uint64_t largest_block = 64 << 20;
constexpr std::uint64_t most_content = 256 << 20;

}  // namespace

Error HeldImages::Store::append(HeldImage& image, Bytes bytes, const std::string& name) {
  while (!bytes.empty()) {
    if (image.extents.empty() || image.extents.back().size == image.extents.back().room) {
      const std::uint64_t room =
          std::clamp((image.size + first_block - 1) / first_block * first_block, first_block, largest_block);
      image.extents.push_back({end, 0, room});
      end += room;
    }
    Extent& extent = image.extents.back();
    const auto piece =
        bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), extent.room - extent.size)));
    const std::uint64_t begin = extent.offset + extent.size;
    std::uint64_t at = begin;
    const Error error = write_at(file.fd(), at, piece, name);
    extent.size += at - begin;
    image.size += at - begin;
    if (error) return error;
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

Error HeldImages::Store::pass(int fd, Bytes bytes, const std::string& name) const {
  const SigpipeGuard guard;
  while (!bytes.empty()) {
    const ssize_t done = write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return system_error(Reason::io_write, name, done < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

std::size_t HeldImages::Store::read(const HeldImage& image, std::uint64_t offset, std::span<std::byte> into,
                                    Error& error) const {
  std::size_t got = 0;
  for (const Extent& extent : image.extents) {
    if (offset >= extent.size) {
      offset -= extent.size;
      continue;
    }
    while (offset < extent.size && got < into.size()) {
      const std::size_t size =
          static_cast<std::size_t>(std::min<std::uint64_t>(extent.size - offset, into.size() - got));
      const ssize_t done = pread(file.fd(), into.data() + got, size, static_cast<off_t>(extent.offset + offset));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) {
        error = system_error(Reason::io_read, {}, done < 0 ? errno : EIO);
        return got;
      }
      got += static_cast<std::size_t>(done);
      offset += static_cast<std::uint64_t>(done);
    }
    if (got == into.size()) break;
    offset = 0;
  }
  return got;
}

void HeldImages::Store::free(const Extent& extent) const {
  fallocate(file.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(extent.offset),
            static_cast<off_t>(extent.room));
}

void HeldImages::Store::meet(const SetId& set) {
  if (std::ranges::find(sets, set) != sets.end()) return;
  sets.push_back(set);
  if (sets.size() < 2) return;
  Error several = named_error(Reason::usage, set.checkpoint, "several sets of images, of which one is wanted: ");
  for (const SetId& one : sets) several.name += (&one == sets.data() ? "" : ", ") + one.text();
  if (sets.size() == 2) keep_first(several);
  else if (error.reason == Reason::usage) error = several;
}

HeldImages::HeldImages(const std::string& spool) : store_{std::make_unique<Store>()} {
  const int fd = spool.empty() ? memfd_create("critpipe-images", MFD_CLOEXEC) : open_without_name(spool);
  store_->file = OwnedDescriptor{fd};
  if (fd < 0) store_->error = system_error(Reason::io_open, spool.empty() ? "memfd" : spool, errno);
}

HeldImages::~HeldImages() = default;

Error HeldImages::read(const std::vector<std::string>& inputs, SourceOptions options) {
  options.all_members = true;
  Pieces pieces{inputs, options};
  SocketChanger changer{*this, store_->changes};
  Receiver& next = store_->changes.empty() ? static_cast<Receiver&>(*this) : changer;
  while (!store_->error)
    if (const auto piece = pieces.next()) {
      (void)piece->read(next);
      for (const std::uint64_t bytes : piece->bytes_read()) store_->bytes_read.push_back(bytes);
    } else {
      break;
    }
  if (!store_->changes.empty()) store_->keep_first(changer.missed());
  return store_->error;
}

Error HeldImages::read(const std::vector<int>& inputs, SourceOptions options) {
  std::vector<std::string> names;
  for (const int fd : inputs) names.push_back(fd == STDIN_FILENO ? "-" : "/dev/fd/" + std::to_string(fd));
  return read(names, std::move(options));
}

void HeldImages::change_sockets(std::vector<SocketChange> changes) { store_->changes = std::move(changes); }
void HeldImages::pass_on(const std::string& name, OwnedDescriptor file) { store_->passed_on[name] = std::move(file); }
bool HeldImages::was_passed_on(std::string_view name) const { return store_->was_passed_on.contains(name); }
bool HeldImages::has(std::string_view name) const { return store_->images.contains(name); }
const std::vector<std::uint64_t>& HeldImages::bytes_read() const { return store_->bytes_read; }
std::size_t HeldImages::nr_images() const { return store_->images.size(); }
const std::vector<SetId>& HeldImages::sets() const { return store_->sets; }
const Error& HeldImages::error() const { return store_->error; }

std::uint64_t HeldImages::size(std::string_view name) const {
  const auto found = store_->images.find(name);
  return found == store_->images.end() ? 0 : found->second.size;
}

Error HeldImages::get(std::string_view name, std::string& content) const {
  const auto found = store_->images.find(name);
  if (found == store_->images.end()) return {Reason::missing_image, std::string{name}};
  const HeldImage& image = found->second;
  if (image.size > most_content)
    return {Reason::limit_held, std::string{name}, Error::nowhere, Error::nowhere, most_content, image.size};
  content.resize(static_cast<std::size_t>(image.size));
  Error error;
  (void)store_->read(image, 0, std::as_writable_bytes(std::span{content}), error);
  if (error) error.image = name;
  return error;
}

Error HeldImages::put(const std::string& name, std::string_view content) {
  if (Error error = TarWriter::check_name(name)) return error;
  HeldImage image;
  if (Error error = store_->append(image, bytes_of(content), name)) return error;
  std::swap(store_->images[name], image);
  for (const Extent& old : image.extents) store_->free(old);
  return {};
}

// All sets are met before they are refused, to be named.
bool HeldImages::wants(const Member& member) {
  store_->meet(*member.set);
  return !store_->error;
}

Step HeldImages::begin(const Member& member) {
  Store& store = *store_;
  Error fault;
  // Bytes without a name, such as a stream that is cut within its first marker.
  if (!member.in_set && !kind_of_name(member.name)) fault = named_error(Reason::no_images, member.place, "input");
  Store::Incoming incoming{member.name};
  if (fault) {
    store.keep_first(fault);
    return Step::stop;
  }
  if (const auto passed = store.passed_on.find(member.name); passed != store.passed_on.end()) {
    incoming.passed = &passed->second;
    if (!store.was_passed_on.try_emplace(member.name, true).second)
      fault = named_error(Reason::bad_duplicate, member.place, member.name);
  } else {
    const auto [at, is_new] = store.images.try_emplace(member.name);
    incoming.image = &at->second;
    if (!is_new) fault = named_error(Reason::bad_duplicate, member.place, member.name);
  }
  if (fault) store.keep_first(fault);
  else store.incoming.insert_or_assign(member.id, std::move(incoming));
  return store.error ? Step::stop : Step::go;
}

Step HeldImages::bytes(const Member& member, Bytes bytes) {
  const auto found = store_->incoming.find(member.id);
  if (found == store_->incoming.end()) return store_->error ? Step::stop : Step::go;
  const Store::Incoming& to = found->second;
  const Error error =
      to.image ? store_->append(*to.image, bytes, member.place) : store_->pass(to.passed->fd(), bytes, to.name);
  if (error) store_->keep_first(error);
  return error ? Step::stop : Step::go;
}

Step HeldImages::end(const Member& member) {
  const auto found = store_->incoming.find(member.id);
  if (found == store_->incoming.end()) return Step::go;
  if (found->second.passed) found->second.passed->reset();
  store_->incoming.erase(found);
  return Step::go;
}

void HeldImages::fail(const Member* member, const Error& error) {
  store_->keep_first(error);
  if (member) store_->incoming.erase(member->id);
}

}  // namespace critpipe
