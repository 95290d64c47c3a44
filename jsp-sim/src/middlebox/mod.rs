//! Boxes between segments of the network: address translators, firewalls and routers.
//!
//! ```text
//!   inner segment                         outer segment
//!   10.0.0.2:4433  ──outbound──> ┌─────┐ ──────────────> 198.51.100.7:4433
//!                  ──hairpin───> │ box │ 203.0.113.1
//!                  <──────────── └─────┘ <──inbound─────
//! ```
//!
//! A [`Middlebox`] is sans-IO: it is asked about each datagram as it passes, and may rewrite its
//! addresses. It has no timers; what has timed out is noticed when the next datagram comes, before
//! anything else. Everything random in it follows from a seed, and its memory has limits that are
//! settings like the others.
//!
//! - [`Nat`]: translates addresses and ports, with each of the behaviours of RFC 4787.
//! - [`Firewall`]: lets in what was asked for, and blocks the rest.
//! - [`Router`]: lets everything through.
//!
//! # RFC 4787, requirement by requirement
//!
//! | behaviour | RFC 4787 | setting of [`NatConfig`] | test |
//! |---|---|---|---|
//! | mapping | 4.1, REQ-1 | `mapping` | `an_inner_endpoint_has_one_outer_endpoint_towards_everybody`, `an_address_dependent_mapping_is_one_for_each_remote_address`, `an_address_and_port_dependent_mapping_is_one_for_each_remote_endpoint` |
//! | address pooling | 4.1, REQ-2 | `addresses`, `pooling` | `a_host_keeps_to_one_address_of_a_paired_pool`, `a_host_gets_any_address_of_an_arbitrary_pool`, `an_arbitrary_pool_is_used_to_its_last_port` |
//! | no port overloading | 4.2.1, REQ-3 | none: never | `two_hosts_with_the_same_port_get_different_ones`, `a_translator_without_a_free_port_drops_until_one_is_free` |
//! | port range | 4.2.1, REQ-3a | `ports` | `a_port_stays_on_its_side_of_1024` |
//! | port assignment | 4.2.1 | `assignment` | `a_port_is_preserved_if_it_is_free`, `ports_are_drawn_at_random_or_counted_up_if_they_are_not_preserved`, `ports_are_counted_up_round_and_round` |
//! | port parity | 4.2.2, REQ-4 | `parity` | `even_ports_are_mapped_to_even_ones_and_odd_to_odd` |
//! | port contiguity | 4.2.3 | `contiguity` | `neighbouring_ports_are_mapped_to_neighbours_if_that_is_asked_for` |
//! | timeout | 4.3, REQ-5, 5b, 5c | `timeout` | `a_mapping_lives_for_five_minutes_of_silence`, `the_timeout_can_be_as_short_as_those_of_real_boxes`, `a_permission_ends_though_its_mapping_lives` |
//! | timeout of known services | 4.3, REQ-5a | `well_known_timeout` | `a_mapping_towards_a_well_known_port_may_live_shorter`, `a_short_timer_does_not_end_a_mapping_that_is_used_otherwise` |
//! | refresh from inside | 4.3, REQ-6 | `refresh` | `a_datagram_that_goes_out_refreshes_the_mapping` |
//! | refresh from outside | 4.3, REQ-6a | `refresh` | `a_datagram_that_comes_in_refreshes_the_mapping_if_it_is_to`, `what_is_filtered_refreshes_nothing` |
//! | conflicting addresses | 4.4, REQ-7 | none: segments are apart | `an_outer_host_may_have_the_address_of_an_inner_one` |
//! | filtering | 5, REQ-8 | `filtering` | `an_endpoint_independent_filter_lets_everybody_in`, `an_address_dependent_filter_lets_in_the_addresses_that_were_spoken_to`, `an_address_and_port_dependent_filter_lets_in_the_endpoints_that_were_spoken_to`, `who_was_spoken_to_from_one_port_may_not_send_to_another` |
//! | hairpinning | 6, REQ-9, 9a | `hairpin` | `hosts_behind_one_translator_reach_each_other_by_their_outer_endpoints`, `what_is_turned_round_passes_the_filter_of_whom_it_reaches`, `what_is_turned_round_may_show_its_inner_source`, `a_translator_without_hairpinning_turns_nothing_round_and_remembers_nothing` |
//! | no gateways for applications | 7, REQ-10 | none: payloads are not read | `addresses_in_a_payload_stay_as_they_are` |
//! | determinism | 8, REQ-11 | none: always | `a_conflict_of_ports_changes_no_behaviour`, `the_same_seed_gives_the_same_ports_and_another_seed_others` |
//! | limits | RFC 6888, REQ-4 | `max_mappings`, `max_mappings_per_host`, `max_permissions` | `a_translator_takes_no_more_mappings_than_it_may_in_all_and_of_one_host`, `a_translator_gives_no_more_permissions_than_it_may` |
//! | two layers | | two boxes | those of `layers.rs` |
//!
//! Settings that break a requirement are there because such boxes are.
//!
//! What does not apply:
//! - REQ-10a (a switch for each application-level gateway): there are none.
//! - REQ-12 (ICMP does not end a mapping): boxes see UDP only. That a datagram is too big is told by
//!   the link that it was too big for, and passes no box.
//! - REQ-13 (fragmentation of what goes out), REQ-14 (fragments that come in): IP fragments are not
//!   modelled. The engine sets DF, and a datagram above a link's MTU is dropped whole.

mod firewall;
mod misconfigured;
mod nat;
mod ports;
mod router;
mod scope;
mod table;
mod verdict;

pub use firewall::{Firewall, FirewallConfig, FlowRate};
pub use misconfigured::Misconfigured;
pub use nat::{Hairpin, Mapping, Nat, NatConfig, NatKind, Pooling, PortAssignment};
pub use ports::{NotPorts, PortRange};
pub use router::Router;
pub use scope::{Dependence, Refresh, Remote};
pub use verdict::{Middlebox, Verdict};
