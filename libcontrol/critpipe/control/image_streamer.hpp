// stream: What `criu dump --stream` sends, as an image stream; and images for `criu restore --stream`.
//
//     socket  streamer-capture.sock, streamer-serve.sock in CRIU's images directory; one connection
//     dump    CRIU: request(name), then the read end of a pipe, for each image
//     restore CRIU: request(name); we: does it exist?; if so, CRIU: the write end of a pipe
//
// Dump: ImageCapture writes one image stream to any descriptors, its shards. No image is held or stored.
//
//     ImageCapture capture;
//     Error error = capture.add_output(STDOUT_FILENO, "standard output");
//     if (!error) error = capture.listen("dump");  // from now on `criu dump --stream -D dump ...` may be started
//     if (!error) error = capture.run();           // none: the whole checkpoint has been written
//
// Restore: HeldImages takes images from any input that libcodec reads, and ImageServer hands them to CRIU.
//
//     HeldImages images;
//     Error error = images.read({"c1.tar.zst"});
//     ImageServer server{images};
//     if (!error) error = server.listen("dump");  // from now on `criu restore --stream -D dump ...` may be started
//     if (!error) error = server.run();           // until CRIU has all that it asked for
//
// Instead of run(), a caller with an event loop of its own waits for poll_fd() to be readable and calls step() until
// is_done(). An object may be destroyed at any time: CRIU then sees its pipes and its connection closed, and a dump
// fails and lets its tree run on. Nothing here installs a signal handler or lets SIGPIPE reach the caller; descriptors
// that the caller gives keep their flags. An object is for one thread at a time, but for stop(); different objects may
// be used by different threads.
//
// Sources of the facts: criu/img-streamer.c, criu-image-streamer's README.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/control/process.hpp"
#include "critpipe/control/socket_changes.hpp"
#include "critpipe/error.hpp"
#include "critpipe/source.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Our end of CRIU's connection.
class StreamerEnd {
 public:
  virtual ~StreamerEnd();
  StreamerEnd(const StreamerEnd&) = delete;
  StreamerEnd& operator=(const StreamerEnd&) = delete;

  // Makes the socket in this directory, of any length of path, and replaces one that was left there by who has gone.
  // Only processes of root and of our user may connect. Its name is removed when CRIU has connected, and with the
  // object. Reasons: io_open.
  [[nodiscard]] Error listen(const std::string& directory);
  // CRIU's path to the socket as it will spell it, if `directory` is its --images-dir; CRIU cuts longer ones than
  // max_path, and cannot connect.
  static constexpr std::size_t max_path = 107;
  std::string socket_path(const std::string& directory) const;
  // Instead of listen(): a connection, SOCK_STREAM, at whose other end CRIU, or who speaks like it, is.
  [[nodiscard]] Error connect(OwnedDescriptor connection);

  int poll_fd() const;        // readable: step() has something to do
  bool is_connected() const;  // CRIU has connected
  bool is_done() const;       // step() has nothing to do any more: all is done, or failed, or stopped
  // Does what can be done without waiting, for some milliseconds at most. Reasons: io_read, io_write, bad_name,
  // bad_duplicate, bad_request, limit_members, incomplete_checkpoint. With an error, all is over.
  [[nodiscard]] Error step();
  // step() until is_done(). Reasons: those of step().
  [[nodiscard]] Error run();
  // Ends run() and step() early, as if CRIU had gone. Any thread may call it at any time, even a signal handler.
  void stop();

 protected:
  struct CRITPIPE_INNER State;
  explicit StreamerEnd(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct CaptureOptions {
  // Bytes move by splice: the pages that wait in a pipe are those of the dumped tree itself. That is right for a tree
  // that is killed, or stays frozen until the outputs' readers have read everything. With `copies`, bytes that an
  // output has accepted do not change any more: for a tree that runs on as soon as they are accepted.
  bool copies = false;
  // The stream ends only after end(), so that files may be added after CRIU's last image.
  bool waits_for_end = false;
  // Called when the first image of a dump is announced (cpuinfo.img is none): the tree is frozen. It must not throw.
  std::function<void()> on_start = {};
};

// What an output has taken.
struct OutputTotals {
  std::uint64_t bytes = 0;
  std::uint64_t milliseconds = 0;  // from the first byte to the last
};

// Receives a dump.
class ImageCapture final : public StreamerEnd {
 public:
  explicit ImageCapture(CaptureOptions options = {});
  ~ImageCapture() override;

  // A shard of the stream, which needs at least one: a pipe, a socket or a file, at its offset; what comes next goes to
  // the shard that has room. A file may make step() wait for its disk; pipes and sockets never do. The descriptor stays
  // the caller's, and must stay open until is_done(). `name` is what errors call it. Call before listen() or connect().
  // Reasons: io_write.
  [[nodiscard]] Error add_output(int fd, std::string name);
  // One more member of the stream, which is read to its end from a pipe, a socket or a file. May be called until the
  // stream has ended. The descriptor is closed when it has been read. Reasons: bad_name, bad_duplicate, io_read.
  [[nodiscard]] Error add_file(const std::string& name, OwnedDescriptor file);
  // With waits_for_end: nothing will be added any more.
  void end();
  // With waits_for_end: CRIU's images and what was added so far are a whole checkpoint, and the stream ends as soon as
  // they have gone out. What is added later follows its end: readers of critpipe read on there, others do not, and if
  // it is cut short, the checkpoint is whole all the same.
  void end_images();
  // All that was announced and added has been accepted by the outputs, and an end behind it.
  bool has_end() const;

  // CRIU is done, and all of its images have been accepted by the outputs. (For waits_for_end; is_done() comes later.)
  // Of a whole dump inventory.img is the last; without it step() returns incomplete_checkpoint.
  bool has_all_images() const;
  std::vector<OutputTotals> totals() const;  // one an output
  std::uint64_t nr_images() const;           // that were announced so far

 private:
  struct CRITPIPE_INNER Capture;
  Capture& capture() const;
};

// Images in memory, which is a memfd and not the heap, or in an unlinked file. A receiver of libcodec's sources. One
// thread at a time may read into it; when that is done, any number may serve from it.
class HeldImages final : public Receiver {
 public:
  // With `spool`, images are in an unlinked file in that directory. Reasons of error(): io_open.
  explicit HeldImages(const std::string& spool = {});
  ~HeldImages() override;

  // Reads images until the inputs end, which may take time: there is no limit on their size but memory. Members of all
  // forms, files that are no images too; one set of several is picked by options.set. Several shards are several
  // inputs. Reasons: the first error of the sources; usage (several sets); bad_duplicate; io_write. Then there is no
  // checkpoint to be served.
  [[nodiscard]] Error read(const std::vector<std::string>& inputs, SourceOptions options = {});
  // The same from open descriptors, which stay the caller's. Sockets, too.
  [[nodiscard]] Error read(const std::vector<int>& inputs, SourceOptions options = {});
  // Images come with other addresses and ports. Call before read(), whose reasons then include usage: there was nothing
  // to change.
  void change_sockets(std::vector<SocketChange> changes);
  // Members of this name are not held, but written to a descriptor as they come, which is closed at their end. Call
  // before read().
  void pass_on(const std::string& name, OwnedDescriptor file);
  bool was_passed_on(std::string_view name) const;

  const std::vector<SetId>& sets() const;  // that were met: several are an error, since one can be served

  bool has(std::string_view name) const;
  std::uint64_t size(std::string_view name) const;  // in bytes; 0 if there is none
  std::size_t nr_images() const;
  const std::vector<std::uint64_t>& bytes_read() const;  // by read(), of each input that is not a directory
  // The content of a small image. Reasons: missing_image, io_read, limit_held (over 256 MiB).
  [[nodiscard]] Error get(std::string_view name, std::string& content) const;
  // Replaces an image, or adds it. Reasons: bad_name, io_write.
  [[nodiscard]] Error put(const std::string& name, std::string_view content);

  // Receiver: for a caller that reads with Pieces or read_input(). error(): the first that occurred.
  const Error& error() const;
  bool wants(const Member& member) override;
  Step begin(const Member& member) override;
  Step bytes(const Member& member, Bytes bytes) override;
  Step end(const Member& member) override;
  void fail(const Member* member, const Error& error) override;

 private:
  friend class ImageServer;
  struct CRITPIPE_INNER Store;
  std::unique_ptr<Store> store_;
};

struct ServeOptions {
  // Memory of a large image is given back piece by piece as CRIU reads it, so that pages are held once, here or there.
  // CRIU cannot ask for such an image twice, then; and nobody else can be served.
  bool frees = false;
};

// Gives a restore what it asks for. CRIU may stop reading an image, and ask for it again.
class ImageServer final : public StreamerEnd {
 public:
  // The images must outlive *this, and not change.
  explicit ImageServer(HeldImages& images, ServeOptions options = {});
  ~ImageServer() override;

 private:
  struct CRITPIPE_INNER Server;
};

}  // namespace critpipe
#pragma GCC visibility pop
