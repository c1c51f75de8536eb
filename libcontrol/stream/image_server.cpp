// Serve: held images on one side, CRIU's pipes on the other.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>

#include "stream/held_images.hpp"
#include "stream/streamer_end.hpp"

namespace critpipe {

namespace {

constexpr const char* socket_name = "streamer-serve.sock";
constexpr int pipe_bytes = 1 << 20;
constexpr std::uint64_t small_bytes = 1 << 16;   // fit in a pipe as it is made
constexpr std::uint64_t most_at_once = 8 << 20;  // of an image, before others get a turn

}  // namespace

struct ImageServer::Server final : StreamerEnd::State {
  Server(HeldImages::Store& images, ServeOptions given) : State{socket_name}, store{images}, options{given} {}

  // An image on its way to CRIU.
  struct Transfer {
    HeldImage* image = nullptr;
    OwnedDescriptor pipe;
    std::size_t extent = 0;  // the next one to be sent
    std::uint64_t sent = 0;  // of it
  };

  Error on_request(const std::string& name) override;
  Error on_pipe(const std::string& name, OwnedDescriptor pipe) override;
  Error on_closed() override;
  Error on_event(std::uint64_t key, std::uint32_t what) override;
  Error work(bool&) override { return {}; }
  bool has_ended() override { return transfers.empty(); }
  Error on_stop() override { return {}; }
  void release() override { transfers.clear(); }

  HeldImages::Store& store;
  ServeOptions options;
  std::unordered_map<std::uint64_t, Transfer> transfers;
  std::uint64_t next_id = 0;
  bool was_asked = false;
};

Error ImageServer::Server::on_request(const std::string& name) {
  was_asked = true;
  const auto found = store.images.find(name);
  if (found != store.images.end() && found->second.is_gone)
    return named_error(Reason::no_bytes, name, "it was given to CRIU before, and its memory is free again");
  return socket.reply(found != store.images.end());
}

Error ImageServer::Server::on_pipe(const std::string& name, OwnedDescriptor pipe) {
  struct stat status;
  if (fstat(pipe.fd(), &status) != 0 || !S_ISFIFO(status.st_mode) ||
      (fcntl(pipe.fd(), F_GETFL) & O_ACCMODE) == O_RDONLY)
    return named_error(Reason::bad_request, name, "what comes for it is not the write end of a pipe");
  HeldImage& image = store.images.find(name)->second;
  if (image.size > small_bytes)
    for (int size = pipe_bytes; size > fcntl(pipe.fd(), F_GETPIPE_SZ) && fcntl(pipe.fd(), F_SETPIPE_SZ, size) < 0;)
      size /= 2;
  const std::uint64_t id = next_id++;
  if (!events.add(pipe.fd(), EPOLLOUT, id)) return system_error(Reason::io_write, name, errno);
  transfers.emplace(id, Transfer{&image, std::move(pipe)});
  return {};
}

// The pipe has room, or CRIU reads it no longer.
Error ImageServer::Server::on_event(std::uint64_t key, std::uint32_t) {
  const auto found = transfers.find(key);
  if (found == transfers.end()) return {};
  Transfer& transfer = found->second;
  HeldImage& image = *transfer.image;
  const auto& extents = image.extents;
  const bool frees = options.frees && image.size > small_bytes;
  for (std::uint64_t left = most_at_once; transfer.extent < extents.size() && left > 0;) {
    const Extent& extent = extents[transfer.extent];
    const std::uint64_t size = std::min(extent.size - transfer.sent, left);
    auto offset = static_cast<off_t>(extent.offset + transfer.sent);
    const ssize_t done = splice(store.file.fd(), &offset, transfer.pipe.fd(), nullptr, static_cast<std::size_t>(size),
                                SPLICE_F_NONBLOCK);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) return {};
    if (done < 0 && errno == EPIPE) {
      // It wants no more of this one.
      transfers.erase(found);
      return {};
    }
    if (done <= 0) return system_error(Reason::io_write, "CRIU", done < 0 ? errno : EIO);
    left -= static_cast<std::uint64_t>(done);
    transfer.sent += static_cast<std::uint64_t>(done);
    if (transfer.sent < extent.size) continue;
    // What is still in the pipe keeps its pages.
    if (frees) store.free(extent);
    image.is_gone |= frees;
    ++transfer.extent;
    transfer.sent = 0;
  }
  if (transfer.extent < extents.size()) return {};
  transfers.erase(found);
  return {};
}

Error ImageServer::Server::on_closed() {
  if (was_asked) return {};
  return named_error(Reason::bad_request, "CRIU", "it has gone without asking for an image");
}

ImageServer::ImageServer(HeldImages& images, ServeOptions options)
    : StreamerEnd{std::make_unique<Server>(*images.store_, options)} {}
ImageServer::~ImageServer() = default;

}  // namespace critpipe
