// Images as files.
#include "cli/cleanup.hpp"
#include "cli/images_target.hpp"

namespace critpipe::filters {

namespace {

// Names that no file can have are refused.
class ToDirectory final : public ImagesTarget {
 public:
  ToDirectory(Program& program, const std::string& path, const DirectoryWriter::Options& options)
      : program_{program}, partial_{program.has("partial")} {
    cleanup_ = std::make_unique<SignalCleanup>([&] {
      directory_ = std::make_unique<DirectoryWriter>(path, options);
      return SignalCleanup::Made{directory_->error() ? "" : directory_->hidden_path(),
                                 directory_->is_new() ? SignalCleanup::Around::if_empty : SignalCleanup::Around::keep};
    });
    if (directory_->error()) program.report(directory_->error());
  }
  Output* open(const MemberPlace& place, OutForm form, std::uint64_t size) override;
  Step close(Output* output, bool whole) override;
  bool link(const MemberPlace& place, int fd) override {
    return !directory_->error() && directory_->link(place.in_directory(), fd);
  }
  bool keep_identity(Output* output, int open) override { return directory_->keep_identity(output, open); }
  void link_parent(const MemberPlace& set, const MemberPlace& parent) override {
    lead_out(set, path_between(set.images_in_directory(), parent.images_in_directory()));
  }
  void lead_out(const MemberPlace& set, const std::string& target) override;
  bool refuses_parents() const override { return true; }
  int commit() override;

 private:
  Program& program_;
  bool partial_;
  std::unique_ptr<SignalCleanup> cleanup_;  // of the hidden directory, which is gone before this is
  std::unique_ptr<DirectoryWriter> directory_;
};

void ToDirectory::lead_out(const MemberPlace& set, const std::string& target) {
  if (directory_->error()) return;
  const std::string from = set.images_in_directory();
  if (const Error error = directory_->symbolic_link((from.empty() ? from : from + "/") + "parent", target))
    program_.report(error);
}

Output* ToDirectory::open(const MemberPlace& place, OutForm, std::uint64_t) {
  if (directory_->error()) return nullptr;
  Error error;
  Output* output = directory_->create(place.in_directory(), error);
  if (!output) program_.report(error);
  return output;
}

Step ToDirectory::close(Output* output, bool whole) {
  const Error error = whole ? directory_->close(output) : directory_->abandon(output);
  if (error) program_.report(error);
  return error ? Step::stop : Step::go;
}

int ToDirectory::commit() {
  if (directory_->error() || (program_.failed() && !partial_)) return program_.exit_code();
  Error error = directory_->finish();
  if (!error) cleanup_->commit([&] { error = directory_->commit(); });
  if (error) program_.report(error);
  return program_.exit_code();
}

}  // namespace

std::unique_ptr<ImagesTarget> to_directory(Program& program, const std::string& path) {
  const DirectoryWriter::Options options{.replace = program.has("force"), .sync = sync_of(program)};
  return std::make_unique<ToDirectory>(program, path, options);
}

std::unique_ptr<ImagesTarget> to_directory_itself(Program& program, const std::string& path,
                                                  Directory::Identity directory, const std::string& old_suffix) {
  const DirectoryWriter::Options options{.replace = true,
                                         .sync = sync_of(program),
                                         .old_suffix = old_suffix,
                                         .identity = std::pair{directory.device, directory.inode}};
  return std::make_unique<ToDirectory>(program, path, options);
}

}  // namespace critpipe::filters
