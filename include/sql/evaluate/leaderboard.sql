-- All evaluations of the snapshot, the best first.
SELECT
    model,
    endpoint,
    evaluation,
    split,
    view,
    names,
    tasks,
    answers,
    pass_at_1,
    low,
    high,
    k,
    pass_at_k,
    pass_shown_at_1,
    pass_hidden_at_1,
    tokens_in,
    tokens_out,
    cost_usd
FROM results
ORDER BY pass_at_1 DESC, model, evaluation
