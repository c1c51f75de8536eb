#include "wire/wire_buffer.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <tuple>
#include <vector>

#include "critpipe/fields.hpp"

namespace critpipe {

void WireBuffer::Free::operator()(std::byte* bytes) const { std::free(bytes); }

void WireBuffer::grow(std::size_t room) {
  if (size_ > capacity_) std::abort();  // a writer has left its room and overwritten memory
  if (room > most_room) throw std::bad_alloc{};
  const std::size_t wanted = std::max({size_ + room, capacity_ + capacity_ / 2, std::size_t{4096}});
  auto* grown = static_cast<std::byte*>(std::realloc(bytes_.get(), wanted));
  if (!grown) throw std::bad_alloc{};
  (void)bytes_.release();
  bytes_.reset(grown);
  capacity_ = wanted;
}

void WireBuffer::close_length(std::size_t opened, std::size_t estimate) {
  const std::size_t had = varint_size(estimate);
  const std::size_t size = size_ - opened;
  const std::size_t needs = varint_size(size);
  if (needs != had) {
    reserve(needs);
    std::memmove(bytes_.get() + opened - had + needs, bytes_.get() + opened, size);
    size_ = opened - had + needs + size;
  }
  put_varint(bytes_.get() + opened - had, size);
}

namespace {

struct Place {
  std::uint32_t number;
  bool unknown;
  std::size_t begin;
  std::size_t size;
};

// Where each field of a payload that we have made stands.
std::vector<Place> places_of(const Message& message, Bytes payload) {
  std::vector<Place> places;
  const std::byte* begin = payload.data();
  for (Fields fields{message, payload}; fields.next(); begin = fields.at()) {
    const Value& value = fields.value();
    const bool unknown = !value.field || value.field->wire() != value.wire;
    places.push_back({value.number, unknown, static_cast<std::size_t>(begin - payload.data()),
                      static_cast<std::size_t>(fields.at() - begin)});
  }
  return places;
}

void rewrite(WireBuffer& out, std::size_t begin, const std::vector<Place>& places) {
  const Bytes payload = out.from(begin);
  const std::vector<std::byte> before{payload.begin(), payload.end()};
  out.truncate(begin);
  for (const Place& place : places) out.append(before.data() + place.begin, place.size);
}

}  // namespace

void sort_fields(const Message& message, WireBuffer& out, std::size_t begin) {
  std::vector<Place> places = places_of(message, out.from(begin));
  std::ranges::stable_sort(places, {}, [](const Place& place) { return std::tuple{place.number, place.unknown}; });
  rewrite(out, begin, places);
}

void remove_field(const Message& message, const Field& field, WireBuffer& out, std::size_t begin) {
  std::vector<Place> places = places_of(message, out.from(begin));
  std::erase_if(places, [&](const Place& place) { return place.number == field.number && !place.unknown; });
  rewrite(out, begin, places);
}

}  // namespace critpipe
