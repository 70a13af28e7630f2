-- What wrk needs to do what the verifier does without being asked: a trace of its own for each request.
local body = '{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}'
request = function()
  local id = string.format("%08x%08x%08x%08x-%08x%08x",
    math.random(0, 0xffffffff), math.random(0, 0xffffffff), math.random(0, 0xffffffff),
    math.random(0, 0xffffffff), math.random(0, 0xffffffff), math.random(0, 0xffffffff))
  return wrk.format("POST", "/predict",
    { ["content-type"] = "application/json", traceparent = "00-" .. id .. "-01" }, body)
end
