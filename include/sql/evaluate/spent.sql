-- What the answers to the questions took; it was paid once, by whichever run asked first.
SELECT
    count(*) AS answers,
    coalesce(sum(answers.tokens_in), 0)::BIGINT AS tokens_in,
    coalesce(sum(answers.tokens_out), 0)::BIGINT AS tokens_out,
    coalesce(sum(answers.cost_usd), 0.0) AS cost_usd
FROM answers
SEMI JOIN questions USING (prompt_hash)
WHERE answers.number < $answers
