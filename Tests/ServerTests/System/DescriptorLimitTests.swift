import CLServer
import Glibc
import Testing

@Test func softLimitIsRaisedToTheHardOne() throws {
  let raised = try #require(DescriptorLimit.raise())
  var limit = rlimit()
  getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  #expect(limit.rlim_cur == limit.rlim_max)
  #expect(raised == Int(clamping: limit.rlim_cur))
}

@Test(
  arguments: [
    (connections: 1024, limit: 1088, clamped: nil), (connections: 1024, limit: 1087, clamped: 1023),
    (connections: 1024, limit: 64, clamped: 1), (connections: 1024, limit: 0, clamped: 1),
    (connections: 1, limit: .max, clamped: nil),
  ] as [(connections: Int, limit: Int, clamped: Int?)])
func connectionsLeaveDescriptorsForTheRest(connections: Int, limit: Int, clamped: Int?) {
  #expect(DescriptorLimit.clamped(connections: connections, limit: limit) == clamped)
}
