// Members grouped by set, and the sets joined with their parents in the same input.
#include "set/sets_of.hpp"

#include <gtest/gtest.h>

#include "memory/join_parents.hpp"

namespace critpipe {
namespace {

struct Group final : PageStore {
  SetId id;
  std::string place;
  const Pagemap* pagemap(MemoryId) override { return nullptr; }
};

Member member_of(const SetId& id, const std::string& place) {
  Member member;
  member.set = std::make_shared<const SetId>(id);
  member.set_place = place;
  return member;
}

std::vector<std::string> names_of(const SetsOf<Group>& sets) { return set_texts(ids_of(sets.all())); }

TEST(SetsOf, AreInTheOrderInWhichTheyBegin) {
  SetsOf<Group> sets;
  int nr_made = 0;
  const auto make = [&] {
    ++nr_made;
    return std::make_unique<Group>();
  };
  Group& last = sets.of(member_of({"z.tar", "app"}, "z.tar:app/checkpoint/"), make);
  sets.of(member_of({"a.tar", ""}, "a.tar:"), make);
  EXPECT_EQ(&sets.of(member_of({"z.tar", "app"}, "z.tar:app/"), make), &last);
  sets.of(member_of({"z.tar", "side"}, "z.tar:side/"), make);
  EXPECT_EQ(nr_made, 3);
  EXPECT_EQ(last.place, "z.tar:app/checkpoint/");
  EXPECT_EQ(names_of(sets), (std::vector<std::string>{"z.tar (app)", "a.tar", "z.tar (side)"}));
}

TEST(SetsOf, AnErrorBelongsToASetThatIsKnown) {
  SetsOf<Group> sets;
  Group& group = sets.of(member_of({"a.tar", "app"}, ""));
  Error error{Reason::cut_pages};
  EXPECT_EQ(sets.find(error), nullptr);
  error.set = std::make_shared<const SetId>(SetId{"a.tar", "app"});
  EXPECT_EQ(sets.find(error), &group);
  error.set = std::make_shared<const SetId>(SetId{"a.tar", "", true});
  EXPECT_EQ(sets.find(error), nullptr);
}

TEST(SetsOf, GiveParentsInTheSameInputToTheirChildren) {
  SetsOf<Group> sets;
  for (const char* set : {"parent/parent", "", "parent"}) sets.of(member_of({"stream", set}, ""));
  sets.of(member_of({"other", "parent"}, ""));
  const auto at = [&](std::size_t i) { return sets.all()[i].get(); };
  Group* const oldest = at(0);
  Group* const newest = at(1);
  const auto parents = join_parents(sets, {});
  EXPECT_EQ(parents, (std::set<Group*>{at(0), at(2)}));
  EXPECT_EQ(newest->parent(), at(2));
  EXPECT_EQ(&newest->ancestor(2), oldest);
  EXPECT_EQ(oldest->parent(), nullptr);
  EXPECT_FALSE(oldest->has_given_parent());
  const auto taken = sets.take_out(parents);
  EXPECT_EQ(taken.size(), 2u);
  EXPECT_EQ(ids_of(sets.all()), (std::vector<SetId>{{"stream", ""}, {"other", "parent"}}));
  EXPECT_EQ(sets.find(SetId{"stream", "parent"}), nullptr);
  EXPECT_EQ(&newest->ancestor(2), oldest);
}

Member link_in(const std::string& input, const std::string& set, const std::string& within) {
  Member link = member_of({input, set}, "");
  link.within = within;
  return link;
}

TEST(SetsOf, LinksLeadToSetsBesideTheirOwn) {
  SetsOf<Group> sets;
  for (const char* set : {"1", "2", "3", "4"}) sets.of(member_of({"a.tar", set}, ""));
  sets.link(link_in("a.tar", "3", "3/checkpoint/"), "../../2/checkpoint");
  sets.link(link_in("a.tar", "2", "2/"), "../1/");
  sets.link(link_in("a.tar", "4", "4/"), "../../4");
  const auto joined = join_parents(sets, {});
  EXPECT_TRUE(joined.empty());  // each is a checkpoint of its own
  const auto at = [&](std::size_t i) { return sets.all()[i].get(); };
  EXPECT_EQ(at(2)->parent(), at(1));
  EXPECT_EQ(at(1)->parent(), at(0));
  EXPECT_EQ(at(0)->parent(), nullptr);
  EXPECT_EQ(at(3)->parent(), nullptr);
}

TEST(SetsOf, LinksInACircleLeadNowhere) {
  SetsOf<Group> sets;
  for (const char* set : {"a", "b", "c", "d"}) sets.of(member_of({"a.tar", set}, ""));
  sets.link(link_in("a.tar", "a", "a/"), "../b");
  sets.link(link_in("a.tar", "b", "b/"), "../a");
  sets.link(link_in("a.tar", "c", "c/"), "../c");
  sets.link(link_in("a.tar", "d", "d/"), "../a");
  (void)join_parents(sets, {});
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(sets.all()[i]->parent(), nullptr);
}

TEST(SetsOf, OthersThanTheChosenSetAreParentsOnly) {
  SetsOf<Group> sets;
  for (const char* set : {"1", "2"}) sets.of(member_of({"a.tar", set}, ""));
  sets.link(link_in("a.tar", "2", "2/"), "../1");
  EXPECT_EQ(join_parents(sets, "2"), (std::set<Group*>{sets.all()[0].get()}));
}

}  // namespace
}  // namespace critpipe
