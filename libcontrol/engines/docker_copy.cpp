// docker: a new container like one that was dumped. It is made of what docker said of the original, gets the files that
// the original had, and starts from the checkpoint; the bind mounts of its spec are then its own.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

#include "critpipe/json.hpp"
#include "engines/docker_api.hpp"
#include "engines/http_call.hpp"
#include "engines/root_files.hpp"

namespace critpipe::docker {

namespace {

// "8080:80", "127.0.0.1:8080:80/udp"
struct Port {
  std::string address, number, inner;  // inner: "80/tcp"

  static bool parse(std::string_view text, Port& port) {
    const auto is_number = [](std::string_view word) {
      return !word.empty() && word.size() <= 5 && word.find_first_not_of("0123456789") == word.npos;
    };
    const std::size_t last = text.rfind(':');
    if (last == text.npos || last == 0) return false;
    const std::string_view inner = text.substr(last + 1), outer = text.substr(0, last);
    const std::size_t slash = inner.find('/'), colon = outer.rfind(':');
    port.number = outer.substr(colon == outer.npos ? 0 : colon + 1);
    port.address = outer.substr(0, colon == outer.npos ? 0 : colon);
    if (port.address.starts_with('[') && port.address.ends_with(']'))
      port.address = port.address.substr(1, port.address.size() - 2);
    port.inner = std::string{inner} + (slash == inner.npos ? "/tcp" : "");
    return is_number(port.number) && is_number(inner.substr(0, slash));
  }
};

// Has docker something of that path?
JsonAnswer asked(const std::string& socket, const std::string& path) {
  const HttpAnswer answer = http_get(socket, std::string{http_api.base} + path);
  return JsonAnswer{answer.error || answer.status != 200 ? std::string{} : answer.body};
}

// What a new container is made of, and what there is against it.
class Plan {
 public:
  Plan(const RunningContainer& original, const EngineCopy& copy)
      : original_{original},
        copy_{copy},
        now_{asked(original.where, "/containers/" + http_escaped(original.id) + "/json")},
        was_{original.inspection.empty() ? now_ : JsonAnswer{original.inspection}} {}

  Error check();
  std::string body() const;
  // Networks beside the one that it is made with: their names, and what docker is told.
  std::vector<std::pair<std::string, std::string>> more_networks() const;
  const JsonAnswer& now() const { return now_; }  // of the original; false: it is gone

 private:
  bool runs() const { return now_.is_on({"State", "Running"}); }
  bool has_ports() const;
  std::string network() const;  // empty: none of its own
  // The address that it is to have; empty: any.
  std::string address_in(const std::string& network) const;
  std::string endpoint(const std::string& network) const;
  Error check_networks() const;
  void put_config(JsonWriter& json) const;
  void put_host(JsonWriter& json) const;
  void put_binds(JsonWriter& json) const;

  const RunningContainer& original_;
  const EngineCopy& copy_;
  JsonAnswer now_, was_;
  std::string image_;
  std::vector<Port> ports_;
};

Error Plan::check() {
  if (Error error = http_get(original_.where, "/_ping").refusal(original_.where)) return error;
  if (!is_experimental(original_.where))
    return engine_error(who, "it starts from checkpoints only with experimental features enabled");
  if (Error error = against_options(copy_.tcp, copy_.file_locks)) return error;
  if (!was_ || !was_.at({"Config"}))
    return engine_error(who, "neither container.json nor docker says how " + visible(original_.id) + " was made");
  if (asked(original_.where, "/containers/" + http_escaped(copy_.name) + "/json"))
    return engine_error(who, "it has a container " + visible(copy_.name) + " already");
  image_ = was_.text({"Image"});
  if (!asked(original_.where, "/images/" + http_escaped(image_) + "/json"))
    return engine_error(who, "it does not have the image " + visible(was_.text({"Config", "Image"})) + ", " +
                                 visible(image_) + " (docker pull, or docker load)");
  // By its name, if that still means the same one.
  const std::string name = was_.text({"Config", "Image"});
  if (asked(original_.where, "/images/" + http_escaped(name) + "/json").text({"Id"}) == image_) image_ = name;
  for (const std::string& text : copy_.ports)
    if (!Port::parse(text, ports_.emplace_back()))
      return engine_error(who, "--publish takes [ADDRESS:]PORT:PORT[/PROTOCOL] here, not " + visible(text));
  if (runs() && copy_.ports.empty() && has_ports())
    return engine_error(who,
                        "the ports of " + visible(original_.name) + ", which runs, are taken: --publish gives others");
  if (!copy_.has_difference && runs())
    return engine_error(who, "the files of " + visible(original_.name) +
                                 ", which runs on, are no longer those of the checkpoint (crit-dump --container NAME "
                                 "--via criu keeps them with it)");
  if (!copy_.has_difference && !now_)
    return engine_error(who, "the files of " + visible(original_.name) +
                                 " are gone with it (crit-dump --container NAME "
                                 "--via criu keeps them with the checkpoint)");
  return check_networks();
}

bool Plan::has_ports() const {
  bool any = false;
  was_.members({"HostConfig", "PortBindings"}, [&](std::string_view, const JsonAnswer&) { any = true; });
  return any;
}

std::string Plan::network() const {
  const std::string mode = was_.text({"HostConfig", "NetworkMode"});
  if (mode == "host" || mode == "none" || mode.starts_with("container:")) return {};
  return mode == "default" ? "bridge" : mode;
}

std::string Plan::address_in(const std::string& network) const {
  const std::string had = was_.text({"NetworkSettings", "Networks", network, "IPAddress"});
  for (const SocketChange& one : copy_.addresses) {
    if (one.from.port || socket_address(had) != one.from.address) continue;
    const std::string& bytes = one.to.address;
    std::string text;
    if (bytes.size() != 4) continue;
    for (const char byte : bytes)
      text.append(text.empty() ? "" : ".").append(std::to_string(static_cast<unsigned char>(byte)));
    return text;
  }
  return copy_.tcp ? had : std::string{};
}

Error Plan::check_networks() const {
  if (network().empty()) return {};
  const bool is_default = network() == "bridge";
  Error error;
  was_.members({"NetworkSettings", "Networks"}, [&](std::string_view name, const JsonAnswer& one) {
    const std::string wanted = address_in(std::string{name});
    if (wanted.empty() || error) return;
    if (is_default)
      error = engine_error(who, "on its own bridge a container gets any free address, not " + wanted +
                                    " (a network of docker network create --subnet has what is asked for)");
    else if (runs() && wanted == one.text({"IPAddress"}))
      error = engine_error(who, "the address " + wanted + " is that of " + visible(original_.name) + ", which runs");
  });
  return error;
}

std::string Plan::endpoint(const std::string& network) const {
  const std::string wanted = address_in(network);
  return wanted.empty() ? "{}" : "{\"IPAMConfig\": {\"IPv4Address\": " + json_string(wanted) + "}}";
}

// Members of an object as they stand, but for some.
void put_members(JsonWriter& json, const JsonAnswer& object, const std::set<std::string_view>& but) {
  object.members({}, [&](std::string_view key, const JsonAnswer& value) {
    const bool is_plain =
        key.find_first_of("\"\\") == key.npos && std::ranges::all_of(key, [](char c) { return c >= ' '; });
    if (is_plain && !but.contains(key)) json.key(key).raw(value.json());
  });
}

void Plan::put_config(JsonWriter& json) const {
  put_members(json, was_.at({"Config"}), {"Image", "ExposedPorts", "MacAddress"});
  json.key("Image").text(image_);
  std::set<std::string> exposed;
  was_.members({"Config", "ExposedPorts"}, [&](std::string_view port, const JsonAnswer&) { exposed.emplace(port); });
  for (const Port& port : ports_) exposed.insert(port.inner);
  json.key("ExposedPorts").raw([&] {
    std::string all;
    for (const std::string& port : exposed) all.append(all.empty() ? "" : ", ").append(json_string(port) + ": {}");
    return "{" + all + "}";
  }());
}

// Volumes that got no name from the user are those of the original, too.
void Plan::put_binds(JsonWriter& json) const {
  std::vector<std::string> binds = was_.texts({"HostConfig", "Binds"});
  std::set<std::string> bound;
  for (const std::string& bind : binds) {
    const std::size_t first = bind.find(':');
    if (first != bind.npos) bound.insert(bind.substr(first + 1, bind.find(':', first + 1) - first - 1));
  }
  was_.each({"HostConfig", "Mounts"}, [&](const JsonAnswer& mount) { bound.insert(mount.text({"Target"})); });
  was_.each({"Mounts"}, [&](const JsonAnswer& mount) {
    const std::string name = mount.text({"Name"}), place = mount.text({"Destination"});
    if (mount.text({"Type"}) == "volume" && !name.empty() && !bound.contains(place))
      binds.push_back(name + ":" + place + (mount.is_on({"RW"}) ? "" : ":ro"));
  });
  json.key("Binds").begin('[');
  for (const std::string& bind : binds) json.text(bind);
  json.end(']');
}

void Plan::put_host(JsonWriter& json) const {
  std::set<std::string_view> but{"Binds", "ContainerIDFile"};
  if (!ports_.empty()) but.insert({"PortBindings", "PublishAllPorts"});
  put_members(json, was_.at({"HostConfig"}), but);
  put_binds(json);
  if (ports_.empty()) return;
  json.key("PortBindings").begin('{');
  std::set<std::string> done;
  for (const Port& port : ports_) {
    if (!done.insert(port.inner).second) continue;
    json.key(port.inner).begin('[');
    for (const Port& same : ports_)
      if (same.inner == port.inner)
        json.begin('{').key("HostIp").text(same.address).key("HostPort").text(same.number).end('}');
    json.end(']');
  }
  json.end('}');
}

std::string Plan::body() const {
  StringOutput output;
  JsonWriter json{output, false};
  json.begin('{');
  put_config(json);
  json.key("HostConfig").begin('{');
  put_host(json);
  json.end('}');
  if (const std::string own = network(); !own.empty() && !address_in(own).empty())
    json.key("NetworkingConfig").raw("{\"EndpointsConfig\": {" + json_string(own) + ": " + endpoint(own) + "}}");
  json.end('}');
  return output.take();
}

std::vector<std::pair<std::string, std::string>> Plan::more_networks() const {
  std::vector<std::pair<std::string, std::string>> all;
  const std::string own = network();
  if (own.empty()) return all;
  was_.members({"NetworkSettings", "Networks"}, [&](std::string_view name, const JsonAnswer&) {
    if (name != own) all.emplace_back(name, endpoint(std::string{name}));
  });
  return all;
}

// A container that is removed again unless it is kept.
class NewContainer {
 public:
  NewContainer(const std::string& socket, const std::string& name) {
    container_.engine = who;
    container_.where = socket;
    container_.name = name;
  }
  ~NewContainer() {
    if (container_.id.empty() || is_kept_) return;
    (void)http_call({.socket = container_.where,
                     .method = "DELETE",
                     .path = container_path(http_api, container_, "?force=true&v=true")});
  }
  NewContainer(const NewContainer&) = delete;
  NewContainer& operator=(const NewContainer&) = delete;

  Error make(const Plan& plan);
  const RunningContainer& container() const { return container_; }
  void keep() { is_kept_ = true; }

 private:
  RunningContainer container_;
  bool is_kept_ = false;
};

Error NewContainer::make(const Plan& plan) {
  HttpRequest request{.socket = container_.where, .method = "POST"};
  request.path = std::string{http_api.base} + "/containers/create?name=" + http_escaped(container_.name);
  request.body = plan.body();
  const HttpAnswer answer = http_call(request);
  if (Error error = answer.refusal(std::string{who})) return error;
  container_.id = JsonAnswer{answer.body}.text({"Id"});
  for (const auto& [network, endpoint] : plan.more_networks()) {
    request.path = std::string{http_api.base} + "/networks/" + http_escaped(network) + "/connect";
    request.body = "{\"Container\": " + json_string(container_.id) + ", \"EndpointConfig\": " + endpoint + "}";
    if (Error error = http_call(request).refusal(std::string{who})) return error;
  }
  return {};
}

Error open_root(const std::string& socket, const JsonAnswer& inspection, RootFiles& root) {
  const std::string upper = inspection.text({"GraphDriver", "Data", "UpperDir"});
  if (!upper.empty())
    return root.open_overlay(layers_of(inspection), upper, inspection.text({"GraphDriver", "Data", "WorkDir"}));
  if (inspection.text({"GraphDriver", "Name"}) != "vfs")
    return engine_error(who,
                        "it does not say where it keeps the files of a container (its storage driver is neither "
                        "overlay2 nor vfs)");
  const std::string place = root_of(socket);
  const std::string layer = small_file(place + "/image/vfs/layerdb/mounts/" + inspection.text({"Id"}) + "/mount-id");
  if (layer.empty() || layer.find('/') != layer.npos)
    return engine_error(who, "it does not say where a root file system is");
  return root.open(place + "/vfs/dir/" + layer);
}

// What the original has changed in its root file system.
Error fill_root(const Plan& plan, const RunningContainer& original, const RunningContainer& made,
                const EngineCopy& copy, const std::string& place) {
  RootFiles root;
  Error error = open_root(made.where, asked(made.where, "/containers/" + made.id + "/json"), root);
  if (error) return error;
  if (!copy.has_difference) {
    RootFiles other;
    RootChanges changes;
    error = open_root(original.where, plan.now(), other);
    if (!error) error = read_changes(http_api, original, changes);
    if (!error) error = root.copy(other, changes.changed, copy.stop_fd);
    return error ? error : root.remove(changes.deleted);
  }
  return root.unpack_difference(place, copy.stop_fd);
}

}  // namespace

Error copy(const RunningContainer& original, const EngineCopy& copy, int& tries) {
  Plan plan{original, copy};
  Error error = plan.check();
  if (!error && copy.look) error = copy.look();
  if (error) return error;
  NewContainer made{original.where, copy.name};
  error = made.make(plan);
  if (error) return error;
  std::string checkpoint = copy.checkpoint, place;
  error = new_checkpoint(home_of(made.container()), checkpoint, place);
  if (!error) error = copy.put ? copy.put(place) : copy_images(copy.directory, place);
  if (!error) error = fill_root(plan, original, made.container(), copy, place);
  if (!error) keep_images(place);
  if (!error) error = start(made.container(), checkpoint, copy.stop_fd, tries);
  if (error) return error;
  made.keep();
  // It would keep docker from leaving the container running at its next checkpoint.
  (void)http_call({.socket = original.where,
                   .method = "DELETE",
                   .path = container_path(http_api, made.container(), "/checkpoints/" + http_escaped(checkpoint))});
  return {};
}

}  // namespace critpipe::docker
