#include "critpipe/schema.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace critpipe {
namespace {

TEST(Kind, FileNames) {
  const struct {
    const char *path, *kind;
  } rows[] = {
      {"inventory.img", "INVENTORY"},
      {"core-1.img", "CORE"},
      {"core-4294967295.img", "CORE"},
      {"checkpoint/core-1.img", "CORE"},
      {"./a/pages-1.img/core-1.img", "CORE"},
      {"pagemap-1.img", "PAGEMAP"},
      {"pagemap-shmem-1.img", "SHMEM_PAGEMAP"},
      {"pages-1.img", "PAGES"},
      {"ghost-file-1f.img", "GHOST_FILE"},
      {"tcp-stream-a0b1.img", "TCP_STREAM"},
      {"tmpfs-1.tar.gz.img", "TMPFS_IMG"},
      {"tmpfs-dev-1.tar.gz.img", "TMPFS_DEV"},
      {"binfmt-misc.img", "BINFMT_MISC"},
      {"binfmt-misc-7.img", "BINFMT_MISC_OLD"},
      {"signal-s-1.img", "SIGNAL"},
      {"signal-p-1.img", "PSIGNAL"},
      {"netns-1.img", "NETNS"},
      {"netns-ct-1.img", "NETNF_CT"},
      {"netns-exp-1.img", "NETNF_EXP"},
      {"route-1.img", "ROUTE"},
      {"route6-1.img", "ROUTE6"},
      {"stats-dump", "STATS"},
      {"stats-restore", "STATS"},
      {"irmap-cache", "IRMAP_CACHE"},
      {"amdgpu-pages-1-0a2f.img", "AMDGPU_KFD_PAGES"},
      {"amdgpu-drm-pages-1-2-0a2f.img", "AMDGPU_DRM_PAGES"},
      {"amdgpu-renderD-128.img", "AMDGPU_RENDER_NODE"},
      {"amdgpu-dmabuf_3.img", "AMDGPU_DMABUF"},
  };
  for (const auto& row : rows) {
    const Kind* kind = kind_of_name(row.path);
    ASSERT_NE(kind, nullptr) << row.path;
    EXPECT_EQ(kind->name, row.kind) << row.path;
  }
}

TEST(Kind, NamesOfNoKind) {
  for (const char* path : {"",
                           "/",
                           "core-1.img/",
                           "core-.img",
                           "core-1x.img",
                           "core-a.img",
                           "core--1.img",
                           "core-1.img.zst",
                           "xcore-1.img",
                           "core.img",
                           "CORE-1.img",
                           "tcp-stream-A0.img",
                           "tcp-stream-0x1.img",
                           "ghost-file-.img",
                           "pagemap-shmem-.img",
                           "pagemap-shmem-x.img",
                           "stats-",
                           "stats-dump.img",
                           "irmap-cache.img",
                           "tmpfs-dev-.tar.gz.img",
                           "descriptors.json",
                           "parent",
                           "dump.log",
                           "pages-1"})
    EXPECT_EQ(kind_of_name(path), nullptr) << path;
}

TEST(Kind, EveryTemplateNamesItsOwnKind) {
  for (const Kind& kind : all_kinds()) {
    std::string name;
    for (std::size_t i = 0; i < kind.file.size(); ++i) {
      if (kind.file[i] != '%') name += kind.file[i];
      else name += kind.file[++i] == 'u' ? "10" : kind.file[i] == 'x' ? "1f" : "dump";
    }
    EXPECT_EQ(kind_of_name(name), &kind) << name;
  }
}

TEST(Kind, NamesOfImagesFollowTheTemplate) {
  EXPECT_EQ(image_name("PSTREE"), "pstree.img");
  EXPECT_EQ(image_name("PSTREE", 7), "pstree.img");
  EXPECT_EQ(image_name("CORE", 26), "core-26.img");
  EXPECT_EQ(image_name("GHOST_FILE", 26), "ghost-file-1a.img");
  EXPECT_EQ(image_name("SHMEM_PAGEMAP", ~std::uint64_t{0}), "pagemap-shmem-18446744073709551615.img");
  EXPECT_EQ(image_name("TCP_STREAM", ~std::uint64_t{0}), "tcp-stream-ffffffffffffffff.img");
  EXPECT_EQ(image_name("TMPFS_DEV", 5), "tmpfs-dev-5.tar.gz.img");
  for (const Kind& kind : all_kinds()) {
    if (std::ranges::count(kind.file, '%') > 1 || kind.file.find("%s") != kind.file.npos) continue;
    EXPECT_EQ(kind_of_name(image_name(kind, 31)), &kind) << kind.file;
  }
}

TEST(Kind, MagicFindsTheCurrentForm) {
  EXPECT_EQ(find_kind(0x56084025u)->name, "PAGEMAP");
  EXPECT_EQ(find_kind(0x59255647u)->name, "SIGNAL");
  EXPECT_EQ(find_kind(0x67343323u)->name, "BINFMT_MISC");
  EXPECT_EQ(find_kind(0x58313116u)->name, "INVENTORY");
  for (const std::uint32_t magic : {0u, 1u, common_magic, service_magic}) EXPECT_EQ(find_kind(magic), nullptr);
  for (const Kind& kind : all_kinds()) {
    if (kind.is_raw()) continue;
    EXPECT_EQ(find_kind(kind.magic)->magic_name, kind.magic_name);
    EXPECT_EQ(find_kind(kind.magic_name), find_kind(kind.magic));
  }
}

TEST(Kind, NamesFindTheirRow) {
  for (const Kind& kind : all_kinds()) EXPECT_EQ(find_kind(kind.name), &kind);
  for (const char* name : {"", "pagemap", "PAGEMAP ", "PAGES_OLD", "KDAT", "MEMFD_FILE"})
    EXPECT_EQ(find_kind(std::string_view(name)), nullptr) << name;
  EXPECT_EQ(find_kind("SHMEM_PAGEMAP")->magic_name, "PAGEMAP");
}

TEST(Kind, RawRowsHaveNoMagicAndAllRowsSayWhatTheyAre) {
  std::size_t nr_raw = 0;
  for (const Kind& kind : all_kinds()) {
    SCOPED_TRACE(kind.name);
    EXPECT_FALSE(kind.about.empty());
    nr_raw += kind.is_raw();
    EXPECT_EQ(kind.is_raw(), kind.head == Head::none);
    EXPECT_EQ(kind.is_raw(), kind.magic == 0);
    EXPECT_EQ(kind.is_raw(), kind.magic_name.empty());
    EXPECT_EQ(kind.is_raw(), kind.later == nullptr);
  }
  EXPECT_GE(nr_raw, 17u);
}

TEST(Kind, ExtrasByHand) {
  using Form = Extra::Form;
  const auto extra = [](std::string_view name) { return find_kind(name)->extra; };
  const auto part = [&](std::string_view name, std::size_t i = 0) { return extra(name).parts[i]; };
  EXPECT_FALSE(find_kind("CORE")->has_extra());
  EXPECT_EQ(extra("CORE").nr_parts(), 0u);
  EXPECT_EQ(part("PIPES_DATA").size, "bytes");
  EXPECT_EQ(part("SK_QUEUES").size, "length");
  EXPECT_FALSE(extra("SK_QUEUES").is_object());
  EXPECT_EQ(extra("TCP_STREAM").nr_parts(), 2u);
  EXPECT_TRUE(extra("TCP_STREAM").is_object());
  EXPECT_EQ(part("TCP_STREAM", 1).name, "outq");
  EXPECT_EQ(part("TCP_STREAM", 1).size, "outq_len");
  EXPECT_EQ(extra("BPFMAP_DATA").nr_parts(), 1u);
  EXPECT_EQ(part("BPFMAP_DATA").added, "values_bytes");
  EXPECT_EQ(part("IPCNS_SEM").form, Form::numbers);
  EXPECT_EQ(part("IPCNS_SEM").unit, 2);
  EXPECT_EQ(part("IPCNS_SEM").padding, 8);
  EXPECT_EQ(extra("IPCNS_SHM").unless, "in_pagemaps");
  EXPECT_EQ(part("IPCNS_SHM").padding, 4);
  EXPECT_EQ(extra("IPCNS_MSG").nested->name, "ipc_msg");
  EXPECT_EQ(extra("IPCNS_MSG").nr_nested, "qnum");
  EXPECT_EQ(part("IPCNS_MSG").size, "msize");
  EXPECT_TRUE(extra("GHOST_FILE").rest_of_image);
  EXPECT_EQ(find_kind("GHOST_FILE")->later->name, "ghost_chunk_entry");
  EXPECT_EQ(find_kind("PAGEMAP")->first->name, "pagemap_head");
  EXPECT_EQ(find_kind("STATS")->head, Head::service);
  EXPECT_EQ(find_kind("INVENTORY")->head, Head::bare);
}

}  // namespace
}  // namespace critpipe
