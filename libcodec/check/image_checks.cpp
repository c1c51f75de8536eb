#include "check/image_checks.hpp"

#include <algorithm>

#include "check/field_limits.hpp"
#include "check/raw_check.hpp"
#include "model/collect.hpp"

namespace critpipe {

namespace {

using ReportDamage = std::function<void(Error)>;

constexpr std::uint32_t wakes_thread = 4;  // SIGEV_THREAD_ID

SeenCore core_of(const Record& core) {
  SeenCore seen;
  seen.machine = core.id("mtype");
  for (const char* const field :
       {"thread_info", "ti_arm", "ti_aarch64", "ti_ppc64", "ti_s390", "ti_mips", "ti_loongarch64", "ti_riscv64"})
    seen.has_registers |= core.has(field);
  struct Place {
    const char *info, *code;
  };
  for (const auto& [info, code] : {Place{"thread_info", "ip"}, {"ti_aarch64", "pc"}, {"ti_arm", "pc"}})
    if (const Record registers = core.inner(info).inner("gpregs")) {
      seen.code = registers.number(code);
      seen.stack = registers.number("sp");
    }
  seen.has_ids = core.has("ids");
  if (const Record task = core.inner("tc")) {
    seen.has_task = true;
    seen.state = task.id("task_state");
    task.inner("timers").each("posix", [&](const Record& timer) {
      if (timer.id("it_sigev_notify") & wakes_thread) seen.timer_threads.push_back(timer.id("notify_thread_id"));
    });
    seen.task_cgroups = task.number("cg_set");
    seen.has_timers = task.has("timers");
    seen.has_rlimits = task.has("rlimits");
    seen.has_actions = task.has("sigactions");
    seen.seccomp_mode = task.id("old_seccomp_mode");
    seen.seccomp_filter = task.id("old_seccomp_filter");
  }
  if (const Record thread = core.inner("thread_core")) {
    seen.has_thread = true;
    seen.has_comm = thread.has("comm");
    seen.thread_cgroups = thread.number("cg_set");
    if (thread.has("seccomp_mode")) {
      seen.seccomp_mode = thread.id("seccomp_mode");
      seen.seccomp_filter = thread.id("seccomp_filter");
    }
    const Record creds = thread.inner("creds");
    seen.has_creds = static_cast<bool>(creds);
    seen.lsm_profile = creds.text("lsm_profile");
  }
  return seen;
}

// A pagemap, whose runs are kept and joined: the pipes through which CRIU writes pages cut them into many.
class PagemapCheck final : public PagemapSink {
 public:
  PagemapCheck(SeenMemory& memory, EntryCheck check, const ReportDamage& report)
      : memory_{memory}, check_{std::move(check)}, report_{report} {}
  Step end() override {
    Pagemap& pagemap = memory_.pagemap;
    pagemap.nr_present = reader().nr_present();
    memory_.nr_entries = reader().nr_entries();
    memory_.is_compressed = reader().has_compressed();
    pagemap.layout = reader().layout();
    pagemap.is_complete = !memory_.is_damaged;
    pagemap.seal();
    return Step::go;
  }
  void fail(const Error&) override {
    memory_.is_damaged = true;
    (void)end();
  }

 protected:
  Step head(std::uint64_t pages_id) override {
    memory_.pagemap.pages_id = pages_id;
    return Step::go;
  }
  Step runs(std::span<const PageRun> runs) override;
  void refused(const Error& error) override {
    memory_.is_damaged = true;
    report_(error);
  }

 private:
  SeenMemory& memory_;
  EntryCheck check_;
  const ReportDamage& report_;
};

Step PagemapCheck::runs(std::span<const PageRun> runs) {
  check_.runs(runs);
  for (const PageRun& run : runs) {
    memory_.pagemap.address_bits |= run.vaddr;
    if (run.is_parent()) memory_.nr_parent += run.nr_pages;
    if (run.is_lazy() && !run.is_present()) memory_.nr_lazy_only += run.nr_pages;
    auto& all = memory_.pagemap.runs;
    const bool joins = !all.empty() && all.back().flags == run.flags && all.back().end(smallest_page) == run.vaddr &&
                       run.vaddr < max_address;
    if (joins) all.back().nr_pages += run.nr_pages;
    else all.push_back(run);
  }
  return Step::go;
}

// Decodes compressed pages as they go by.
class BlocksCheck final : public PagesSink {
 public:
  explicit BlocksCheck(std::function<void(const Error&)> report) : report_{std::move(report)} {}
  void refused(const Error& error) override { report_(error); }

 protected:
  Step pages(std::uint64_t, Bytes) override { return Step::go; }

 private:
  std::function<void(const Error&)> report_;
};

class ImageCheck final : public Sink {
 public:
  ImageCheck(CheckedImages& images, std::string name, std::unique_ptr<Sink> model, ReportDamage report)
      : images_{images},
        seen_{images.images[name]},
        name_{std::move(name)},
        model_{std::move(model)},
        report_{std::move(report)} {
    // Bytes may be passed over before begin().
    const Kind* const kind = kind_of_name(name_);
    if (!kind || !kind->is_raw()) return;
    seen_.kind = kind;
    raw_ = make_raw_check(*kind);
    check_blocks();
  }

  Step begin(const Image& image) override;
  Step entry(const Entry& entry) override;
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) override;
  Step part(const ExtraPart& part) override { return model_ ? model_->part(part) : Step::go; }
  Step bytes(Bytes bytes) override {
    if (ghost_) ghost_->bytes += bytes.size();
    return model_ ? model_->bytes(bytes) : Step::go;
  }
  Step padding(Bytes bytes) override { return model_ ? model_->padding(bytes) : Step::go; }
  Step close() override { return model_ ? model_->close() : Step::go; }
  Step raw(Bytes bytes) override;
  Step pass_over(std::uint64_t size) override;
  Step end() override;
  void fail(const Error& error) override;

 private:
  void count_raw(std::uint64_t size);
  void add(FieldFault&& fault, const Entry& entry) {
    fault.image = name_;
    fault.entry = entry.index;
    images_.field_faults.add({fault.rule, fault.severity}, std::move(fault));
  }
  void add_early(const PagesFault& fault) {
    images_.early_faults.add({fault.name, fault.is_tolerated}, PagesFault{fault});
  }
  void check_blocks();

  CheckedImages& images_;
  SeenImage& seen_;
  std::string name_;
  std::unique_ptr<Sink> model_;
  ReportDamage report_;
  std::unique_ptr<PagemapCheck> pagemap_;
  std::unique_ptr<RawCheck> raw_;
  std::unique_ptr<BlocksCheck> blocks_;
  SeenGhost* ghost_ = nullptr;
};

// Of archives and streams whose pagemap came before. In directories they are read when all is known.
void ImageCheck::check_blocks() {
  const auto pages_id = pages_id_of_name(name_);
  if (!pages_id || !images_.directory.empty()) return;
  for (const auto& [id, memory] : images_.memories) {
    Error error;
    if (memory.pagemap.pages_id != *pages_id || !memory.pagemap.layout) continue;
    auto stored = memory.pagemap.blocks(images_.page_size(), error);
    if (!stored) continue;
    DecodedBlocks& decoded = images_.decoded[*pages_id] = {.page_size = images_.page_size()};
    blocks_ = std::make_unique<BlocksCheck>([this, &decoded](const Error& damage) {
      Error inner = damage;
      inner.image.clear();
      decoded.faults.add({"block", false}, {"block", name_, Error::nowhere, {}, to_string(inner)});
    });
    blocks_->stored_as(std::move(stored));
    return;
  }
}

Step ImageCheck::begin(const Image& image) {
  if (!image.is_raw()) seen_.kind = image.kind;
  seen_.head = image.head;
  const Kind* const named = kind_of_name(name_);
  if (image.kind && named && named->magic != image.kind->magic) {
    seen_.is_other_kind = true;
    return Step::go;
  }
  const auto memory = memory_of_name(name_);
  const bool is_pagemap = seen_.kind && (seen_.kind->name == "PAGEMAP" || seen_.kind->name == "SHMEM_PAGEMAP");
  if (memory && is_pagemap) {
    SeenMemory& kept = images_.memories[*memory];
    kept.pagemap.memory = *memory;
    const auto report = [this](const PagesFault& fault) { add_early(fault); };
    pagemap_ = std::make_unique<PagemapCheck>(kept, EntryCheck{report, name_}, report_);
  }
  if (seen_.kind && seen_.kind->name == "GHOST_FILE" && !image.is_raw()) ghost_ = &images_.ghosts[number_of(name_)];
  return model_ ? model_->begin(image) : Step::go;
}

Step ImageCheck::entry(const Entry& entry) {
  ++seen_.entries;
  if (seen_.is_other_kind) return Step::go;
  if (pagemap_) return pagemap_->entry(entry);
  const Record record{*entry.message, entry.payload};
  if (!is_aside(name_))
    look_at_fields(*entry.message, entry.payload, [&](FieldFault&& fault) { add(std::move(fault), entry); });
  if (entry.kind->name == "CORE") images_.cores[number_of(name_)] = core_of(record);
  if (ghost_ && entry.index == 0) {
    ghost_->has_size = record.has("size");
    ghost_->size = record.number("size");
    ghost_->has_chunks = record.number("chunks") != 0;
  }
  return model_ ? model_->entry(entry) : Step::go;
}

Taken ImageCheck::many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) {
  if (!pagemap_) return {};
  const Taken taken = pagemap_->many(unchecked, index, offset);
  seen_.entries += taken.entries;
  return taken;
}

void ImageCheck::count_raw(std::uint64_t size) {
  seen_.bytes += size;
  if (const auto id = pages_id_of_name(name_)) images_.pages[*id] = seen_.bytes;
}

Step ImageCheck::raw(Bytes bytes) {
  count_raw(bytes.size());
  if (raw_) raw_->feed(bytes);
  if (blocks_) (void)blocks_->raw(bytes);
  return Step::go;
}

Step ImageCheck::pass_over(std::uint64_t size) {
  if (raw_ || blocks_) return Step::stop;
  count_raw(size);
  return Step::go;
}

Step ImageCheck::end() {
  if (pages_id_of_name(name_)) count_raw(0);
  if (raw_)
    if (const std::string why = raw_->finish(); !why.empty()) {
      seen_.is_damaged = true;
      report_({.reason = Reason::no_bytes, .image = {}, .name = why});
    }
  if (pagemap_) (void)pagemap_->end();
  if (blocks_) (void)blocks_->end();
  return model_ ? model_->end() : Step::go;
}

void ImageCheck::fail(const Error& error) {
  seen_.is_damaged = true;
  if (!seen_.kind) seen_.kind = kind_of_name(name_);
  if (pagemap_) pagemap_->fail(error);
  if (model_) model_->fail(error);
}

}  // namespace

std::unique_ptr<Sink> make_image_check(CheckedImages& images, std::string name, std::unique_ptr<Sink> model,
                                       std::function<void(Error)> report) {
  return std::make_unique<ImageCheck>(images, std::move(name), std::move(model), std::move(report));
}

}  // namespace critpipe
