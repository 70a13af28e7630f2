-- wrk's side of the bench: the same three flowers that the verifier's quick plan sends, in turn.
local flowers = {
  '{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}',
  '{"sepal_length":6.0,"sepal_width":2.9,"petal_length":4.5,"petal_width":1.5}',
  '{"sepal_length":6.3,"sepal_width":3.3,"petal_length":6.0,"petal_width":2.5}',
}
local requests = {}
local turn = 0

init = function()
  for i, body in ipairs(flowers) do
    requests[i] = wrk.format("POST", "/predict", { ["Content-Type"] = "application/json" }, body)
  end
end

request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
