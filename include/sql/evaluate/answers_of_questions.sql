-- The answers to the questions, with what scoring needs to know of them.
SELECT
    questions.sample_id,
    questions.function_name,
    questions.positional_only,
    questions.cases,
    questions.before,
    questions.tests,
    answers.number,
    answers.text,
    answers.refusal
FROM questions
INNER JOIN answers USING (prompt_hash)
WHERE answers.number < $answers
ORDER BY questions.sample_id, answers.number
