// A directory whose pages are replaced, as crit compress does it.
#include <fcntl.h>
#include <filesystem>

#include "crit-repack/repack.hpp"

namespace critpipe::filters {

namespace {

constexpr int exit_error_of_crit = 1;

}  // namespace

void Repack::say(const std::string& line) {
  output_.write(line + '\n');
  (void)output_.flush();
}

// Called as crit, it speaks as crit.
int Repack::rewrite() {
  const bool is_crit = program_.name() == "crit";
  const std::string action = options_.decompress ? "decompress" : "compress";
  if (is_crit) program_.introduce_errors("Error: failed to " + action + " checkpoint");
  bool good = open() && rewrite_directory();
  if (good && is_crit) program_.introduce_errors("Error");  // the checkpoint is as it should be
  if (output_.error()) good = fail(output_.error());
  return good ? exit_done : is_crit ? exit_error_of_crit : exit_error;
}

bool Repack::rewrite_directory() {
  const std::string where = "heckpoint in " + visible(inputs_.front());
  if (set_.memories.empty()) {
    say("No pagemap files found in " + visible(inputs_.front()));
    return true;
  }
  pass_on();
  if (!failed_ && !kept_.contains("inventory.img"))
    return fail({Reason::missing_image, std::string{set_.place} + "inventory.img"});
  if (failed_) return false;
  if (is_compressed() != options_.decompress && !is_marked_in_vain()) {
    say("C" + where + (options_.decompress ? " is already decompressed" : " is already compressed"));
    return true;
  }
  if (!refuse_other_versions() || !refuse_old_baks()) return false;
  say((options_.decompress ? "Decompressing c" : "Compressing c") + where);
  PageDirectory& holder = *set_.store->page_directory();
  const std::string suffix = program_.has("no-bak") ? "" : ".bak";
  images_ = std::make_unique<ImagesOut>(
      program_, to_directory_itself(program_, directory(), holder.identity().value_or(Directory::Identity{}), suffix));
  if (!store() || !edited("inventory.img") || images_->commit() != exit_done) return false;
  for (const std::string& line : lines_) say(line);
  say("Done");
  return true;
}

// Does the inventory say so, or any pagemap?
bool Repack::is_compressed() { return set_.is_compressed || kept_inventory("compress") != 0; }

// Of a set without blocks whose parents have none any more, releases up to 4.2.1 would refuse the version.
bool Repack::is_marked_in_vain() {
  return options_.decompress && kept_inventory("img_version") == version_of_blocks && !keeps_version() &&
         !is_compressed_above();
}

bool Repack::refuse_old_baks() {
  if (program_.has("no-bak")) return true;
  std::vector<std::string> names{"inventory.img"};
  for (std::size_t i = 0; i < set_.memories.size(); ++i) {
    names.push_back(pagemap_name(set_.memories[i]));
    names.push_back(pages_name(set_.pages_ids[i]));
  }
  for (const std::string& name : names) {
    const std::string path = directory() + "/" + name + ".bak";
    std::error_code none;
    if (!std::filesystem::exists(std::filesystem::symlink_status(path, none))) continue;
    const bool is_crit = program_.name() == "crit";
    return fail(path, std::string{"kept before, and not replaced: remove it, or keep none ("} +
                          (is_crit ? "--in-place)" : "--no-bak)"));
  }
  return true;
}

void Repack::note_pages(const Memory& memory, const PagesWriter& writer) {
  const std::uint64_t before = memory.stored_bytes, after = writer.stored_bytes();
  const auto kib = [](std::uint64_t size) { return std::to_string(size / 1024) + "K"; };
  std::string line = "  " + pagemap_name(memory.id) + ": " + std::to_string(writer.nr_pages()) + " pages (" +
                     kib(before) + " -> " + kib(after);
  if (!options_.decompress) {
    if (before == 0) return;
    line += format(", %.1f%% saved", 100 - 100 * static_cast<double>(after) / static_cast<double>(before));
  }
  lines_.push_back(line + ')');
}

// Before other threads read. Pages go to nobody who could not read them: the file that they are read from says who can.
void Repack::open_old(Memory& memory) {
  PageDirectory& holder = *set_.store->page_directory();
  Error error;
  if (const PagesImage* const image = holder.image(memory.pages_id, set_.page_size, error))
    memory.old_pages = InputFile{::fcntl(image->fd(), F_DUPFD_CLOEXEC, 0), image->place()};
  memory.old_pagemap = holder.open(pagemap_name(memory.id), error);
}

void Repack::keep_identity(Output* output, const InputFile& old, const std::string& name) {
  if (!output || !program_.has("rewrite") || (old.is_open() && images_->keep_identity(output, old.fd()))) return;
  program_.note(visible(directory() + "/" + name) + ": owner, mode, times or attributes could not be kept");
}

}  // namespace critpipe::filters
