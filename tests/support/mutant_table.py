"""The faults that `mutants` plants: in which file, which text becomes which, who must notice."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One fault.

    Attributes:
      name: of the fault, as `--only` takes it.
      file: relative to the checkout.
      old: text that occurs once in the file.
      new: its replacement.
      tests: pytest's ids of tests, each of which must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


_UPPER_BOUND = "tests/statistics/test_upper_bound.py::"
_VERDICT = "tests/statistics/test_verdict.py::"
_UAR = "tests/statistics/test_uar.py::"
_CONFIDENCE = "tests/statistics/test_confidence.py::"
_LDA = "tests/attacks/test_lda.py::"
_LDA_MOMENTS = "tests/attacks/test_lda_moments.py::"
_KNN = "tests/attacks/test_knn.py::"
_SUITE = "tests/attacks/test_suite.py::"
_CONDITIONAL = "tests/leakage/test_conditional.py::"
_ONLINE_CODE = "tests/leakage/test_online_code.py::"
_VERIFICATION = "tests/leakage/test_verification.py::"
_DEALS = "tests/leakage/test_deals.py::"
_SESSIONS = "tests/leakage/test_sessions.py::"
_TOTAL = "tests/statistics/test_total_bound.py::"
_IDENTIFY = "tests/leakage/membership/test_identify.py::"

_ROWS = (
    Mutant(
        "bound_without_error",
        "privrep/statistics/upper_bound.py",
        "margin = scipy.special.ndtri(1 - alpha) * max(null.sd, error)",
        "margin = scipy.special.ndtri(1 - alpha) * null.sd",
        (_UPPER_BOUND + "test_bounds_cover_where_speakers_differ_much",),
    ),
    Mutant(
        "upper_bound_below_the_uar",
        "privrep/statistics/upper_bound.py",
        "max(uar, chance + abs(uar - null.mean) + margin)",
        "chance + abs(uar - null.mean) + margin",
        (_UPPER_BOUND + "test_a_uar_is_never_outside_its_bounds",),
    ),
    Mutant(
        "lower_bound_without_error",
        "privrep/statistics/verdict.py",
        "spread = max(null.null_sd, errors[strongest])",
        "spread = null.null_sd",
        (_UPPER_BOUND + "test_bounds_cover_where_speakers_differ_much",),
    ),
    Mutant(
        "chance_of_two_classes",
        "privrep/statistics/verdict.py",
        "chance = 1 / num_classes",
        "chance = 1 / 2",
        (_UPPER_BOUND + "test_bounds_and_limit_are_relative_to_chance",),
    ),
    Mutant(
        "bound_of_the_headline_attacker",
        "privrep/statistics/verdict.py",
        "upper = max(attacker.upper for attacker in attackers)",
        "upper = null.upper",
        (
            _UPPER_BOUND + "test_the_upper_bound_is_of_the_strongest_attacker_not_of_the_luckiest",
            _UPPER_BOUND + "test_neither_order_nor_another_attacker_lowers_the_upper_bound",
        ),
    ),
    Mutant(
        "lower_bound_without_selection",
        "privrep/statistics/verdict.py",
        "quantile = max(np.quantile(highest[1:], 1 - alpha), scipy.special.ndtri(1 - alpha))",
        "quantile = scipy.special.ndtri(1 - alpha)",
        (_UPPER_BOUND + "test_the_lower_bound_allows_for_having_taken_the_strongest",),
    ),
    Mutant(
        "ties_do_not_count",
        "privrep/statistics/family_test.py",
        "(highest >= highest[0] - 1e-6)",
        "(highest > highest[0] + 1e-6)",
        (
            _VERDICT + "test_p_is_exact_if_labellings_are_equally_likely[of few values]",
            _VERDICT + "test_scores_that_are_alike_for_all_labels_show_nothing",
        ),
    ),
    Mutant(
        "p_without_the_true_labelling",
        "privrep/statistics/family_test.py",
        "high = max(float((highest >= highest[0] - 1e-6).mean()), smallest_share)",
        "high = max(float((highest[1:] >= highest[0] - 1e-6).mean()), smallest_share)",
        (_VERDICT + "test_p_is_exact_if_labellings_are_equally_likely[smooth]",),
    ),
    Mutant(
        "standardised_by_permuted_labels_only",
        "privrep/statistics/family_test.py",
        "return (scores - scores.mean(-1, keepdims=True)) / spread",
        "return (scores - scores[..., 1:].mean(-1, keepdims=True)) / scores[..., 1:].std()",
        (_VERDICT + "test_p_is_exact_if_labellings_are_equally_likely[of outliers]",),
    ),
    Mutant(
        "detectable_with_half_the_power",
        "privrep/statistics/upper_bound.py",
        "return float(critical + scipy.special.ndtri(POWER) * max(null.sd, error))",
        "return float(critical)",
        (_UPPER_BOUND + "test_the_minimum_detectable_uar_is_detected_in_four_of_five",),
    ),
    Mutant(
        "accuracy_in_place_of_uar",
        "privrep/statistics/uar.py",
        "return mean_recall(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1))",
        "return np.trace(counts, axis1=-2, axis2=-1) / np.maximum(counts.sum((-2, -1)), 1)",
        (
            _UAR + "test_whoever_always_names_one_class_scores_chance",
            _UAR + "test_a_class_that_says_all_several_times_counts_once",
        ),
    ),
    Mutant(
        "accuracy_of_labellings_in_place_of_uar",
        "privrep/statistics/uar.py",
        "return (hits / np.maximum(support, 1)).sum(0) / (support > 0).sum(0)",
        "return hits.sum(0) / support.sum(0)",
        (_UAR + "test_whoever_always_names_one_class_scores_chance",),
    ),
    Mutant(
        "studentised_interval_to_the_wrong_side",
        "privrep/statistics/confidence.py",
        "return data.value - data.error * np.quantile(ratios, data.tails)[::-1]",
        "return data.value + data.error * np.quantile(ratios, data.tails)",
        (_CONFIDENCE + "test_a_studentised_interval_reaches_to_the_long_tail",),
    ),
    Mutant(
        "strata_cost_no_freedom",
        "privrep/statistics/confidence.py",
        "freedom = max(len(data.counts) - len(np.unique(data.strata)), 1)",
        "freedom = max(len(data.counts) - 1, 1)",
        (_CONFIDENCE + "test_every_stratum_takes_a_degree_of_freedom",),
    ),
    Mutant(
        "linear_calibrated_on_the_tested",
        "privrep/attacks/lda.py",
        "factor = temperature(of_row_0[fold][pick[0]], labels[validation, 0], prior)",
        "factor = temperature(features[rows] @ weights[:, 0] + offsets[0], labels[rows, 0], prior)",
        (_LDA + "test_calibration_uses_no_label_of_the_tested_speakers",),
    ),
    Mutant(
        "first_penalty",
        "privrep/attacks/lda.py",
        "pick = uars[fold].argmax(0)",
        "pick = 0 * uars[fold].argmax(0)",
        (_LDA + "test_the_penalty_is_that_of_a_search_over_validation_speakers",),
    ),
    Mutant(
        "covariance_of_all_classes_together",
        "privrep/attacks/lda_moments.py",
        "within = np.linalg.inv(np.eye(prior.shape[1]) - between @ overlap)",
        "within = np.broadcast_to(np.eye(prior.shape[1]), overlap.shape)",
        (_LDA + "test_linear_is_discriminant_analysis",),
    ),
    Mutant(
        "temperature_without_prior",
        "privrep/attacks/lda_moments.py",
        "scaled = np.exp(log_factor) * logits + prior",
        "scaled = np.exp(log_factor) * logits + 0 * prior",
        (_LDA_MOMENTS + "test_no_other_factor_has_a_lower_log_loss",),
    ),
    Mutant(
        "first_k",
        "privrep/attacks/knn.py",
        "pick = mean_recall(hits, support).argmax(0)",
        "pick = 0 * mean_recall(hits, support).argmax(0)",
        (_KNN + "test_k_is_that_of_a_search_over_validation_speakers",),
    ),
    Mutant(
        "validation_speakers_are_their_own_neighbours",
        "privrep/attacks/knn.py",
        "others = _all_but(inside, tested, fold)",
        "others = _all_but(inside, tested)",
        (_KNN + "test_k_is_that_of_a_search_over_validation_speakers",),
    ),
    Mutant(
        "votes_of_large_classes_count_more",
        "privrep/attacks/knn.py",
        "np.log(votes / np.maximum(support, 1).astype(np.float32) + 1 / total)",
        "np.log(votes / np.float32(total) + 1 / total)",
        (_KNN + "test_k_is_that_of_a_search_over_validation_speakers",),
    ),
    Mutant(
        "neighbours_calibrated_on_the_tested",
        "privrep/attacks/knn.py",
        "    def attack(tested: int) -> None:\n        training = _all_but(inside, tested)",
        "    def attack(tested: int) -> None:\n        training = _all_but(inside)",
        (_KNN + "test_calibration_uses_no_label_of_the_tested_speakers",),
    ),
    Mutant(
        "trees_grown_on_validation_speakers",
        "privrep/attacks/boosted_trees.py",
        "usable & (folds != tested) & (folds != held_out)",
        "usable & (folds != tested)",
        (_SUITE + "test_trees_grow_on_other_speakers_than_their_number_is_chosen_on",),
    ),
    Mutant(
        "beyond_not_studentised",
        "privrep/leakage/conditional.py",
        "rows.append(studentised(scores, score_errors, chance))",
        "rows.append(scores)",
        (_CONDITIONAL + "test_p_beyond_a_covariate_is_of_studentised_scores",),
    ),
    Mutant(
        "beyond_permuted_over_all_strata",
        "privrep/leakage/conditional.py",
        "strata = strata_of_speakers(covariate, speaker, dealt.strata, dealt.units)",
        "strata = dealt.strata",
        (_CONDITIONAL + "test_speakers_of_one_covariate_exchange_labels_with_its_equals",),
    ),
    Mutant(
        "strata_share_an_attacker",
        "privrep/leakage/conditional.py",
        "is_large = len(np.unique(folds[rows])) >= _MIN_FOLDS",
        "is_large = False",
        (_CONDITIONAL + "test_a_leak_whose_sign_the_covariate_turns_is_read_inside_strata",),
    ),
    Mutant(
        "code_learns_what_it_sends",
        "privrep/leakage/online_code.py",
        "folds = np.where(is_training, 1 + place[speaker[rows]] % num_folds, 0)",
        "folds = place[speaker[rows]] % num_folds",
        (_ONLINE_CODE + "test_a_portion_is_coded_by_what_was_sent_before",),
    ),
    Mutant(
        "first_portion_is_free",
        "privrep/statistics/attack_scores.py",
        "return float(counts[0] * np.log2(num_classes) + np.dot(losses, counts[1:]))",
        "return float(np.dot(losses, counts[1:]))",
        (_ONLINE_CODE + "test_a_code_of_nothing_costs_what_the_class_sizes_do",),
    ),
    Mutant(
        "whitened_with_the_tested",
        "privrep/leakage/verification.py",
        "x = whitened(x, is_training, speaker, np.arange(len(rows)))",
        "x = whitened(x, is_training | True, speaker, np.arange(len(rows)))",
        (_VERIFICATION + "test_whitening_learns_nothing_of_the_speakers_who_are_verified",),
    ),
    Mutant(
        "verification_jackknife_without_factor",
        "privrep/leakage/pair_ranks.py",
        "return float(np.sqrt((len(left_out) - 1) * np.var(left_out)))",
        "return float(np.sqrt(np.var(left_out)))",
        (_VERIFICATION + "test_scores_and_errors_are_those_of_every_pair_listed",),
    ),
    Mutant(
        "membership_jackknife_without_factor",
        "privrep/leakage/membership/identify.py",
        "np.sqrt((num - 1) / num * ((without - without.mean()) ** 2).sum())",
        "np.sqrt(((without - without.mean()) ** 2).mean())",
        (
            _IDENTIFY + "test_the_error_of_a_difference_is_the_jackknifes",
            _IDENTIFY + "test_the_jackknife_estimates_what_other_speakers_would_vary",
        ),
    ),
    Mutant(
        "places_permuted_between_kinds",
        "privrep/leakage/membership/games.py",
        "permutations = permute(unit_place, np.arange(len(unit_place)), strata, count, seed)",
        "permutations = permute(unit_place, np.arange(len(unit_place)), 0 * strata, count, seed)",
        (_IDENTIFY + "test_places_are_permuted_between_speakers_of_one_kind_only",),
    ),
    Mutant(
        "validation_speakers_are_others",
        "privrep/leakage/membership/games.py",
        "MEMBER, OTHER, NEITHER = 1, 0, -1",
        "MEMBER, OTHER, NEITHER = 1, 0, 0",
        (_IDENTIFY + "test_a_network_unlike_on_validation_speakers_is_no_leak",),
    ),
    Mutant(
        "membership_ties_are_lost",
        "privrep/leakage/membership/attackers.py",
        "return (np.sign(members[:, :, None] - others[:, None, :]) + 1) / 2, 0.5 + correct / 4",
        "return (members[:, :, None] > others[:, None, :]) * 1.0, 0.5 + correct / 4",
        (_IDENTIFY + "test_a_score_that_is_the_same_for_all_wins_half",),
    ),
    Mutant(
        "one_deal_again_and_again",
        "privrep/leakage/deals.py",
        "folds = deal_folds(speaker, fold_group, num_folds, seed)",
        "folds = deal_folds(speaker, fold_group, num_folds, deals[0])",
        (_DEALS + "test_a_labelling_has_the_mean_of_its_deals",),
    ),
    Mutant(
        "luckiest_deal",
        "privrep/leakage/deals.py",
        "uars.append(np.mean(",
        "uars.append(np.max(",
        (_DEALS + "test_a_labelling_has_the_mean_of_its_deals",),
    ),
    Mutant(
        "deals_split_groups",
        "privrep/leakage/deals.py",
        "folds = deal_folds(speaker, fold_group, num_folds, seed)",
        "folds = deal_folds(speaker, None, num_folds, seed)",
        (_DEALS + "test_who_shares_a_group_shares_the_fold_in_every_deal",),
    ),
    Mutant(
        "error_of_the_first_deal",
        "privrep/leakage/deals.py",
        "counts = np.sum([d.person_counts if person else d.counts for d in of_deals], 0)",
        "counts = of_deals[0].person_counts if person else of_deals[0].counts",
        (_DEALS + "test_errors_are_those_of_all_deals_together",),
    ),
    Mutant(
        "person_by_votes_of_scores",
        "privrep/leakage/victims.py",
        "np.bincount(group, attacked.scores[row, :, c], size)",
        "np.bincount(group, np.sign(attacked.scores[row, :, c]), size)",
        (_DEALS + "test_the_scores_of_a_person_add_up",),
    ),
    Mutant(
        "states_of_a_speaker_are_one_person",
        "privrep/leakage/victims.py",
        "person = speaker * num_classes + labels",
        "person = speaker * num_classes + speaker_labels(labels, speaker)[speaker]",
        (_DEALS + "test_a_person_is_judged_in_every_labelling_as_by_a_sum_over_a_list",),
    ),
    Mutant(
        "person_scores_of_the_truth",
        "privrep/leakage/deals.py",
        "person_counts(attacked, row, labels[row], speaker, num_classes)",
        "person_counts(attacked, 0, labels[row], speaker, num_classes)",
        (_DEALS + "test_a_person_is_judged_in_every_labelling_as_by_a_sum_over_a_list",),
    ),
    Mutant(
        "days_permuted_by_utterance",
        "privrep/leakage/sessions.py",
        "        speaker_blocks(apart.speaker, apart.session),\n",
        "        None,\n",
        (_SESSIONS + "test_a_state_that_varies_by_day_is_permuted_by_day_beyond_sessions_too",),
    ),
    Mutant(
        "interviewer_stays",
        "privrep/leakage/sessions.py",
        "apart = sample.take(~np.isin(sample.speaker, tying)) if len(tying) else sample",
        "apart = sample",
        (_SESSIONS + "test_rooms_are_no_leak_beyond_sessions_whoever_is_in_all_of_them[True]",),
    ),
    Mutant(
        "sessions_not_subtracted",
        "privrep/leakage/sessions.py",
        "dealt.one_utterance.beyond(chance),",
        "dealt.one_utterance,",
        (_SESSIONS + "test_two_sites_leak_in_total_and_not_beyond_them",),
    ),
    Mutant(
        "permuted_across_sessions",
        "privrep/leakage/sessions.py",
        "        rule.strata,\n",
        "        0 * rule.strata,\n",
        (_SESSIONS + "test_two_sites_leak_in_total_and_not_beyond_them",),
    ),
    Mutant(
        "rooms_known_to_the_attacker",
        "privrep/leakage/sessions.py",
        "permutations, rule.fold_group, suite",
        "permutations, None, suite",
        (_SESSIONS + "test_no_attacker_knows_the_room_of_whom_it_is_tried_on",),
    ),
    Mutant(
        "class_that_is_its_room_is_told_from_it",
        "privrep/leakage/sessions.py",
        "if permutations.only_rename:",
        "if False:",
        (_SESSIONS + "test_a_class_that_is_its_room_is_not_told_from_it",),
    ),
    Mutant(
        "total_without_margin",
        "privrep/statistics/total_bound.py",
        "min(1.0, 2 * float(score) - attacker.lower)",
        "float(score)",
        (_TOTAL + "test_the_whole_score_is_bounded_whatever_the_rooms_explain_of_it",),
    ),
    Mutant(
        "total_over_the_limit_is_none",
        "privrep/statistics/total_bound.py",
        'word == "no_leak_shown" and upper > verdict.limit',
        'word == "no_leak_shown" and upper > 1',
        (_TOTAL + "test_no_leak_is_not_said_of_a_score_that_may_be_over_the_limit",),
    ),
    Mutant(
        "total_below_what_exceeds",
        "privrep/statistics/total_bound.py",
        "        verdict.upper,\n",
        "        0.0,\n",
        (_TOTAL + "test_the_bound_never_falls",),
    ),
    Mutant(
        "lone_sessions_stay",
        "privrep/leakage/pair_kinds.py",
        "alone = _speakers_of(cell, speaker) == 1",
        "alone = _speakers_of(cell, speaker) == 0",
        (_VERIFICATION + "test_a_voice_is_found_within_rooms_and_across_days",),
    ),
    Mutant(
        "pairs_within_a_recording",
        "privrep/leakage/pair_kinds.py",
        "return first[differ], second[differ]",
        "return first, second",
        (_VERIFICATION + "test_a_room_is_no_voice",),
    ),
    Mutant(
        "contents_permuted",
        "privrep/leakage/pair_kinds.py",
        "refined = permutation._replace(cell=_cells(permutation.cell, z.strata))",
        "refined = permutation",
        (_VERIFICATION + "test_permuted_speakers_say_of_every_content_as_often_what_it_holds",),
    ),
    Mutant(
        "renamed_speakers_count",
        "privrep/leakage/pair_kinds.py",
        "min(0.0, log_renamed - log_distinct)",
        "min(0.0, -log_distinct)",
        (_VERIFICATION + "test_labellings_that_make_the_same_pairs_are_counted",),
    ),
    Mutant(
        "recordings_torn",
        "privrep/leakage/pair_kinds.py",
        "block, cell = _cells(speaker, session), _cells(target, session)",
        "block, cell = each, _cells(target, session)",
        (_VERIFICATION + "test_speakers_of_several_sessions_are_permuted_by_recording",),
    ),
    Mutant(
        "voices_of_who_was_recorded_alone",
        "privrep/leakage/pair_kinds.py",
        "if _free_share(permutation, speaker) < _MIN_SHARE:\n        reason",
        "if _free_share(permutation, speaker) < 0:\n        reason",
        (_VERIFICATION + "test_who_was_recorded_alone_cannot_be_told_from_the_recording",),
    ),
    Mutant(
        "repeated_values_unread",
        "privrep/attacks/lda.py",
        '("repeated values, ", repeated_values(h))',
        '("repeated values, ", h[:, :0])',
        (_LDA + "test_ranks_read_a_repeated_value_wherever_it_lies_among_the_others[0.5]",),
    ),
    Mutant(
        "offset_is_a_constant_to_verification",
        "privrep/attacks/speaker_backends.py",
        "is_constant = constant(known)",
        "is_constant = sd <= 1e-5 * np.sqrt(1 + mean**2)",
        (_VERIFICATION + "test_an_offset_hides_no_voice_and_a_column_of_one_value_adds_none",),
    ),
)
MUTANTS = {mutant.name: mutant for mutant in _ROWS}
