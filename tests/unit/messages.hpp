// Messages of every type in the schema as libprotobuf has them, filled with edge values.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <random>
#include <string_view>

namespace critpipe::testing {

// An empty message of that name.
std::unique_ptr<google::protobuf::Message> new_message(std::string_view name);

// All required fields, and some of the others, filled by chance; lists of up to three.
std::unique_ptr<google::protobuf::Message> random_message(std::string_view name, std::mt19937_64& random);

// For each field and each of its edge values a message that has this value, and the required fields.
void each_edge(std::string_view name, std::mt19937_64& random,
               const std::function<void(const google::protobuf::Message&)>& use);

// The required fields, and so many values of a repeated field: often small numbers, or the message before once more.
std::unique_ptr<google::protobuf::Message> list_message(std::string_view name, std::uint32_t number, std::size_t count,
                                                        std::mt19937_64& random);

}  // namespace critpipe::testing
